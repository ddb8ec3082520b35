// What of a model's folder decides how examples become tokens and patches: everything but its weights.
import Digests
import Files
import Foundation

/// SHA-256 over the names and bytes of a folder's files, in the order of their names. Weights, and what is larger than
/// a tokenizer ever is, count by name and size.
/// - Throws: `FileError` where the folder or a file cannot be read.
package func settingsDigest(ofFolder folder: String) throws(FileError) -> String {
  let most = 1 << 28
  let names: [String]
  do { names = try FileManager.default.contentsOfDirectory(atPath: folder) } catch {
    throw FileError(folder, "cannot be read", cause: error)
  }
  var digest = SHA256()
  for name in names.map({ ExactString($0) }).sorted().map(\.text) {
    let path = "\(folder)/\(name)"
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue else { continue }
    let size: Int
    do {
      size =
        try URL(fileURLWithPath: path).resolvingSymlinksInPath().resourceValues(forKeys: [.fileSizeKey]).fileSize ?? 0
    } catch { throw FileError(path, "cannot be read", cause: error) }
    digest.update("\(name.utf8.count) \(name) \(size)\n")
    guard !name.hasSuffix(".safetensors"), size <= most else { continue }
    try readFile(path, maximumBytes: most).withUnsafeBytes { digest.update($0) }
  }
  return digest.finish()
}
