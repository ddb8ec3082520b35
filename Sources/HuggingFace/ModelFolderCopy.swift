// A copy of a model's folder with some tensors changed, one tensor in memory at a time.
import Files
import Foundation
import Glibc
import Tensors

package enum ModelFolderCopy {
  /// Copies the files of `source` into the existing folder `target`, without safetensors files that are not the model's
  /// weights. The weights' files keep their headers, so names, shapes, types and sharding stay.
  /// - Parameter changing: the new values of a tensor, as many as it has; nil leaves it as it is.
  /// - Throws: `HuggingFaceError` for a damaged file, or `FileError` for one that cannot be read or written.
  package static func write(
    from source: String, to target: String, changing: (StoredTensor) throws -> [Float]?
  ) throws {
    let weights = try WeightFiles(ModelFolder(path: source))
    let names = try FileManager.default.contentsOfDirectory(atPath: source).map { ExactString($0) }
    for name in names.sorted() {
      // Folders of a hub's cache hold links.
      let path = URL(fileURLWithPath: "\(source)/\(name)").resolvingSymlinksInPath()
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder), !isFolder.boolValue else {
        continue
      }
      let written = "\(target)/\(name)"
      if weights.names.contains(name) {
        try copy(MappedFile(path: path.path), to: written, changing: changing)
      } else if !weights.isLeftOut(name) {
        let bytes: Data
        do {
          bytes = try Data(contentsOf: path, options: .mappedIfSafe)
        } catch {
          throw FileError(path.path, "cannot be read", cause: error)
        }
        try writeSynchronized(bytes, to: written)
      }
    }
  }

  private static func copy(_ file: MappedFile, to path: String, changing: (StoredTensor) throws -> [Float]?) throws {
    let entries = try SafetensorsHeader(file).entries
    let output = uninterrupted { open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666) }
    guard output >= 0 else { throw FileError.unwritable(path, cause: SystemError.last("open")) }
    defer { close(output) }
    guard let base = file.bytes.baseAddress else {
      throw HuggingFaceError.unreadable(file: path, reason: "it is empty")
    }
    func write(_ bytes: UnsafeRawBufferPointer) throws {
      guard writeAll(bytes, to: output) else { throw FileError.unwritable(path, cause: SystemError.last("write")) }
    }
    /// A part at a time, so that mapped pages need not be in memory together.
    func write(_ range: Range<Int>) throws {
      for start in stride(from: range.lowerBound, to: range.upperBound, by: 16 << 20) {
        try write(UnsafeRawBufferPointer(start: base + start, count: min(16 << 20, range.upperBound - start)))
      }
    }
    try write(0..<(entries.first?.range.lowerBound ?? file.bytes.count))
    for entry in entries {
      let type = ElementType(rawValue: entry.type)
      let isAligned = type.map { entry.range.lowerBound % $0.byteCount == 0 } ?? false
      guard let type, isAligned else {
        try write(entry.range)
        continue
      }
      let tensor = StoredTensor(
        name: entry.name, type: type, shape: entry.shape, base: base + entry.range.lowerBound, owner: file)
      if let values = try changing(tensor) {
        precondition(values.count == tensor.count)
        try type.bytes(of: values).withUnsafeBytes { try write($0) }
      } else {
        try write(entry.range)
      }
    }
    guard uninterrupted({ fsync(output) }) == 0 else {
      throw FileError.unwritable(path, cause: SystemError.last("fsync"))
    }
  }
}
