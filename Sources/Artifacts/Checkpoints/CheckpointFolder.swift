// A folder of checkpoints as a reader sees it: which there are, and which of them are what was saved.
import Digests
import Files
import Foundation
import HDF5

/// The checkpoints of a folder.
package struct CheckpointFolder: Sendable {
  package let directory: String
  package init(_ directory: String) { self.directory = directory }

  package func path(_ name: CheckpointName) -> String { "\(directory)/\(name.text)" }

  /// All checkpoints by name, newest first; whether they are valid is not looked at.
  /// - Throws: `FileError` for a folder that cannot be listed: it must not be taken for an empty one.
  package func names() throws(FileError) -> [CheckpointName] {
    let names: [String]
    do {
      names = try FileManager.default.contentsOfDirectory(atPath: directory)
    } catch let error as CocoaError where error.code == .fileReadNoSuchFile {
      return []
    } catch {
      throw FileError(directory, "cannot be listed", remedy: "check the path and its permissions", cause: error)
    }
    return names.compactMap { CheckpointName($0) }.sorted(by: >)
  }

  /// The newest valid checkpoint and what was wrong with newer ones.
  /// - Throws: `FileError` for a folder that cannot be listed.
  package func newest() throws(FileError) -> (name: CheckpointName?, refused: [any Error]) {
    var refused: [any Error] = []
    for name in try names() {
      do {
        try Self.verify(path(name))
        return (name, refused)
      } catch { refused.append(error) }
    }
    return (nil, refused)
  }

  /// Checks a file, or the one that a link such as `best.h5` points at: its bytes against its seal, its name against
  /// its step. Files of versions before 0.3.0 have no seal and are checked against the `.sha256` beside them.
  /// - Throws: `FileError`, or `HDF5Error` for a file that was sealed and is no checkpoint.
  package static func verify(_ link: String) throws {
    let path = URL(fileURLWithPath: link).resolvingSymlinksInPath().path
    guard try isThere(path) else {
      throw FileError(link, "there is no such file", remedy: "name a checkpoint")
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      let names = (try? CheckpointFolder(path).names()) ?? []
      throw FileError(
        link, "is a folder, not a checkpoint",
        remedy: names.first.map { "name one of its checkpoints, as \(path)/\($0.text)" } ?? "name a checkpoint, a file")
    }
    switch try Seal.check(path) {
    case .valid: break
    case .broken:
      throw FileError(path, "damaged: its bytes are not those that were saved", remedy: "use another checkpoint")
    case .missing: try verifyBySidecar(path)
    }
    guard let name = CheckpointName(URL(fileURLWithPath: path).lastPathComponent) else { return }
    let step = try CheckpointFile(path).step()
    guard step == name.step else {
      throw FileError(
        path, "is named after step \(name.step) but holds step \(step)",
        remedy: "rename it to \(CheckpointName(step: step).text)")
    }
  }

  private static func verifyBySidecar(_ path: String) throws {
    guard let line = try? String(contentsOfFile: path + ".sha256", encoding: .utf8) else {
      throw FileError(
        path, "damaged or cut: it has no seal at its end, and no checksum \(path).sha256 of an older version",
        remedy: "use another checkpoint")
    }
    guard let expected = line.split(separator: " ").first, expected.count == 64 else {
      throw FileError(path + ".sha256", "not a line of sha256sum", remedy: "use another checkpoint")
    }
    guard try sha256(of: path) == expected else {
      throw FileError(
        path, "damaged: its SHA-256 is not the one in \(path).sha256", remedy: "use another checkpoint")
    }
  }

  static func sha256(of path: String) throws(FileError) -> String {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) else {
      throw FileError(path, "cannot be read", remedy: "check the path and its permissions")
    }
    return data.withUnsafeBytes { SHA256.hex($0) }
  }
}
