// The digest over all bytes of a model's weights, kept for as long as their files stay as they are.
import Digests
import Files
import Foundation

/// The kept digest of a folder's weights: computing it reads all of them, so it is made on request and then believed
/// while size, time of writing and inode of every file are those that it was made of.
package enum FullDigest {
  /// The document beside the weights.
  package static let file = "imagelora_digest.json"

  private struct Document: Encodable {
    struct File: Encodable {
      let name: String
      let size, modified_ns, inode: Int
    }
    let full_digest: String
    let files: [File]
  }

  /// Where a digest may be kept: beside the model, or in the user's folder for caches where that cannot be written.
  private static func places(_ folder: String) -> [String] {
    let resolved = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    let environment = ProcessInfo.processInfo.environment
    let caches =
      environment["XDG_CACHE_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
      ?? environment["HOME"].map { $0 + "/.cache" }
    return ["\(folder)/\(file)"] + (caches.map { ["\($0)/imagelora/\(SHA256.hex(resolved).prefix(32)).json"] } ?? [])
  }

  private static func files(_ checkpoint: Checkpoint) -> [Document.File] {
    checkpoint.files.map { file in
      Document.File(
        name: URL(fileURLWithPath: file.path).lastPathComponent, size: file.identity.size,
        modified_ns: file.identity.modified, inode: Int(truncatingIfNeeded: file.identity.inode))
    }
  }

  /// The digest that was kept of these very files; nil where there is none, or it is damaged.
  package static func kept(of checkpoint: Checkpoint, folder: String) -> String? {
    places(folder).lazy.compactMap { read($0, files: files(checkpoint)) }.first
  }

  private static func read(_ path: String, files: [Document.File]) -> String? {
    guard FileManager.default.fileExists(atPath: path), let data = try? readFile(path, maximumBytes: 1 << 20),
      let document = try? JSON(parsing: [UInt8](data)), case .object(let members) = document,
      (try? DocumentDigest.check(document, file: path, again: "")) != nil
    else { return nil }
    func value(_ key: String) -> JSON? { members.first { $0.key.hasSameBytes(as: key) }?.value }
    let expected = files.map { file in
      JSON.object([
        .init(key: "inode", value: .integer(file.inode)),
        .init(key: "modified_ns", value: .integer(file.modified_ns)),
        .init(key: "name", value: .string(file.name)), .init(key: "size", value: .integer(file.size)),
      ])
    }
    // Only a document with a digest of its own is believed.
    guard value(DocumentDigest.key.text) != nil, case .string(let digest) = value("full_digest"), digest.count == 64,
      let kept = value("files"), kept.canonical == JSON.array(expected).canonical
    else { return nil }
    return digest
  }

  /// Keeps the digest of a folder's weights.
  /// - Returns: the path of the document; nil where none could be written, which costs only time.
  package static func keep(_ digest: String, of checkpoint: Checkpoint, folder: String) -> String? {
    guard let data = try? DocumentDigest.encode(Document(full_digest: digest, files: files(checkpoint))) else {
      return nil
    }
    return places(folder).first { path in
      let parent = URL(fileURLWithPath: path).deletingLastPathComponent().path
      try? FileManager.default.createDirectory(atPath: parent, withIntermediateDirectories: true)
      do { try writeAtomically(data, to: path) } catch { return false }
      return true
    }
  }
}
