// Where an adapter is found: a checkpoint of a run, or a folder that export or PEFT made.
import Adapters
import Batches
import Files
import Foundation

/// An adapter on disk.
package enum AdapterSource: Sendable {
  case checkpoint(String)
  case folder(String)

  /// A folder is an adapter's, a file a checkpoint.
  package init(at path: String) {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    self = isThere && !isFolder.boolValue ? .checkpoint(path) : .folder(path)
  }

  package var path: String {
    switch self {
    case .checkpoint(let path), .folder(let path): path
    }
  }

  /// What it must be used with; a checkpoint is checked against its checksum first.
  /// - Throws: `FileError`, `HDF5Error` or `HuggingFaceError`.
  package func provenance() throws -> AdapterProvenance {
    switch self {
    case .checkpoint(let path):
      try CheckpointFolder.verify(path)
      return try CheckpointFile(path).provenance()
    case .folder(let path):
      return try AdapterFolder.provenance(path)
    }
  }

  /// The adapter for a base that it fits.
  /// - Throws: `FileError`, `HDF5Error` or `HuggingFaceError`.
  package func load(for base: BaseModel) throws -> any Adapter<Float> {
    switch self {
    case .checkpoint(let path):
      let file = try CheckpointFile(path)
      let (configuration, layout) = try file.adapter(for: base)
      // Before memory is taken for an adapter: its sizes are believed once the file has tensors of them.
      let parameters = try file.parameters(layout: layout)
      let adapter: any Adapter<Float> = configuration.adapter(base.configuration.text, base.configuration.vision)
      adapter.load(parameters)
      return adapter
    case .folder(let path):
      return try AdapterFolder.load(path, base: base.configuration.text, base.configuration.vision)
    }
  }
}
