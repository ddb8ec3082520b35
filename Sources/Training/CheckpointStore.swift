// The folder of checkpoints: whole files with checksums, the newest few and the best kept.
import Adapters
import Digests
import Foundation
import Glibc
import HDF5

/// A file of the run that could not be written: the disk's doing and nobody's input.
package struct SavingError: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// `step-00000120.h5` files of one run, each beside its `sha256sum` line.
package struct CheckpointStore: Sendable {
  package let directory: String
  /// Newest checkpoints that stay; the best one stays besides.
  package let keep: Int

  package init(directory: String, keep: Int) { (self.directory, self.keep) = (directory, keep) }

  /// `step-00000120.h5` in the folder.
  package func path(step: Int) -> String { "\(directory)/\(Self.name(step: step))" }

  static func name(step: Int) -> String {
    let digits = String(step)
    return "step-" + String(repeating: "0", count: max(0, 8 - digits.count)) + digits + ".h5"
  }

  /// Makes the folder where it is missing.
  /// - Throws: `CheckpointError`.
  package func prepare() throws {
    do {
      try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    } catch {
      throw CheckpointError(file: directory, problem: "the folder cannot be made: \(error.localizedDescription)")
    }
  }

  /// Writes a checkpoint beside its name, synchronised and checksummed, renames it, then drops what is too old. An
  /// interrupted or failed write leaves all earlier checkpoints as they were.
  /// - Throws: `HDF5Error` or `CheckpointError`.
  package func save(_ state: TrainingState, layout: AdapterLayout) throws {
    let path = path(step: state.step)
    try File.replace(
      path,
      sealed: { partial in
        try writeText("\(try Self.sha256(of: partial))  \(Self.name(step: state.step))\n", to: path + ".sha256")
      }, build: { file in try state.write(to: file, layout: layout) })
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

  /// Checks a file, or the one that a link such as `best.h5` points at, against the checksum beside it.
  /// - Throws: `CheckpointError` if one of them is missing or they do not belong together.
  package static func verify(_ link: String) throws {
    let path = URL(fileURLWithPath: link).resolvingSymlinksInPath().path
    guard FileManager.default.fileExists(atPath: path) else {
      throw CheckpointError(file: link, problem: "there is no such file; name a checkpoint")
    }
    let line: String
    do {
      line = try String(contentsOfFile: path + ".sha256", encoding: .utf8)
    } catch {
      throw CheckpointError(file: path, problem: "its checksum \(path).sha256 cannot be read; use another checkpoint")
    }
    guard let expected = line.split(separator: " ").first, expected.count == 64 else {
      throw CheckpointError(file: path + ".sha256", problem: "not a line of sha256sum; use another checkpoint")
    }
    guard try sha256(of: path) == expected else {
      throw CheckpointError(
        file: path, problem: "damaged: its SHA-256 is not the one in \(path).sha256; use another checkpoint")
    }
  }

  /// The newest sound checkpoint and what was wrong with newer ones.
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
      throw CheckpointError(file: path, problem: "cannot be read; check the path and its permissions")
    }
    var digest = SHA256()
    data.withUnsafeBytes { digest.update($0) }
    return digest.finish()
  }

  /// A small file written beside its name, synchronised and renamed.
  private func writeText(_ text: String, to path: String) throws {
    let partial = path + ".partial"
    func refuse(_ function: String) -> CheckpointError {
      let reason = String(cString: strerror(errno))
      unlink(partial)
      return CheckpointError(file: path, problem: "cannot be written: \(reason) (\(function))")
    }
    let descriptor = Glibc.open(partial, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw refuse("open") }
    let bytes = Array(text.utf8)
    let written = bytes.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    let synchronized = fsync(descriptor)
    guard Glibc.close(descriptor) == 0, written == bytes.count, synchronized == 0 else { throw refuse("write") }
    guard rename(partial, path) == 0 else { throw refuse("rename") }
  }

  /// Points a name at a checkpoint, replacing what it pointed at.
  private func link(_ name: String, to target: String) throws {
    let (path, partial) = ("\(directory)/\(name)", "\(directory)/\(name).partial")
    unlink(partial)
    guard symlink(target, partial) == 0, rename(partial, path) == 0 else {
      throw CheckpointError(file: path, problem: "cannot be linked: \(String(cString: strerror(errno)))")
    }
  }
}
