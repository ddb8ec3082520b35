// The folder of checkpoints: complete files with checksums, of which the newest few and the best are kept.
import Digests
import Files
import Foundation
import Glibc
import HDF5

/// `step-00000120.h5` files of one run, each with its `sha256sum` line.
package struct CheckpointStore: Sendable {
  package let directory: String
  /// How many of the newest checkpoints stay; the best one also stays.
  package let keep: Int

  package init(directory: String, keep: Int) { (self.directory, self.keep) = (directory, keep) }

  /// `step-00000120.h5` in the folder.
  package func path(step: Int) -> String { "\(directory)/\(Self.name(step: step))" }

  static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".h5"
  }

  /// Makes the folder where it is missing.
  /// - Throws: `FileError`.
  package func prepare() throws {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw FileError(directory, "the folder cannot be made", cause: error)
    }
  }

  /// Writes a checkpoint under a temporary name, synchronised and checksummed, renames it, then deletes what is too
  /// old. An interrupted or failed write leaves all earlier checkpoints as they were.
  /// - Throws: `HDF5Error` or `FileError`.
  package func save(_ state: TrainingState) throws {
    let path = path(step: state.step)
    try File.replace(
      path,
      sealed: { partial in
        try writeText("\(try Self.sha256(of: partial))  \(Self.name(step: state.step))\n", to: path + ".sha256")
      }, build: { file in try state.write(to: file) })
    try link("latest.h5", to: Self.name(step: state.step))
    if let best = state.best, best.step == state.step { try link("best.h5", to: Self.name(step: state.step)) }
    let old = try steps().dropFirst(keep).filter { $0 != state.best?.step }
    for step in old {
      unlink(self.path(step: step))
      unlink(self.path(step: step) + ".sha256")
    }
  }

  /// Steps of all checkpoints by name, newest first.
  package func steps() throws -> [Int] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: directory) else { return [] }
    return names.compactMap { name in
      guard name.hasPrefix("step-"), name.hasSuffix(".h5") else { return nil }
      return Int(name.dropFirst(5).dropLast(3))
    }.filter { $0 >= 0 }.sorted(by: >)
  }

  /// Checks a file, or the one that a link such as `best.h5` points at, against its checksum file.
  /// - Throws: `FileError` if one of them is missing or they do not belong together.
  package static func verify(_ link: String) throws {
    let path = URL(fileURLWithPath: link).resolvingSymlinksInPath().path
    guard FileManager.default.fileExists(atPath: path) else {
      throw FileError(link, "there is no such file", remedy: "name a checkpoint")
    }
    let line: String
    do {
      line = try String(contentsOfFile: path + ".sha256", encoding: .utf8)
    } catch {
      throw FileError(path, "its checksum \(path).sha256 cannot be read", remedy: "use another checkpoint")
    }
    guard let expected = line.split(separator: " ").first, expected.count == 64 else {
      throw FileError(path + ".sha256", "not a line of sha256sum", remedy: "use another checkpoint")
    }
    guard try sha256(of: path) == expected else {
      throw FileError(
        path, "damaged: its SHA-256 is not the one in \(path).sha256", remedy: "use another checkpoint")
    }
  }

  /// The newest valid checkpoint and what was wrong with newer ones.
  package func newest() throws -> (path: String?, refused: [String]) {
    var refused: [String] = []
    for step in try steps() {
      do {
        try Self.verify(path(step: step))
        return (path(step: step), refused)
      } catch { refused.append("\(error)") }
    }
    return (nil, refused)
  }

  private static func sha256(of path: String) throws -> String {
    guard let data = try? Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe) else {
      throw FileError(path, "cannot be read", remedy: "check the path and its permissions")
    }
    var digest = SHA256()
    data.withUnsafeBytes { digest.update($0) }
    return digest.finish()
  }

  /// Writes a small file under a temporary name, synchronised, and renames it.
  private func writeText(_ text: String, to path: String) throws {
    let partial = path + ".partial"
    func failed(_ call: String) -> FileError {
      let cause = SystemError.last(call)
      unlink(partial)
      return FileError.unwritable(path, cause: cause)
    }
    let descriptor = Glibc.open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw failed("open") }
    let bytes = Array(text.utf8)
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let synchronized = fsync(descriptor)
    guard Glibc.close(descriptor) == 0, written == bytes.count, synchronized == 0 else { throw failed("write") }
    guard rename(partial, path) == 0 else { throw failed("rename") }
  }

  /// Points a name at a checkpoint, replacing what it pointed at.
  private func link(_ name: String, to target: String) throws {
    let (path, partial) = ("\(directory)/\(name)", "\(directory)/\(name).partial")
    unlink(partial)
    guard symlink(target, partial) == 0, rename(partial, path) == 0 else {
      throw FileError(path, "cannot be linked", cause: SystemError.last("symlink"), fault: .machine)
    }
  }
}
