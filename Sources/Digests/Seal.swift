// A file that carries its own digest: the last bytes of it, so that neither can be parted from the other.
import Files
import Foundation
import Glibc

/// The seal of a file: its last 83 bytes are `"\nimagelora-seal 1 "`, 64 hexadecimal digits and a newline; the digits
/// are SHA-256 over all bytes before. HDF5 does not look at bytes behind its end, so h5py and h5dump read sealed files.
package enum Seal {
  private static let prefix = Array("\nimagelora-seal 1 ".utf8)
  package static let byteCount = prefix.count + 64 + 1

  /// What the end of a file says about it.
  package enum State: Sendable {
    /// It has no seal.
    case missing
    case valid
    /// Its bytes are not those that were sealed.
    case broken
  }

  /// Seals a finished file and waits until it is on the disk.
  /// - Throws: `FileError`, a failure of the machine.
  package static func append(to path: String) throws(FileError) {
    let bytes = try read(path)
    let seal = prefix + Array(bytes.withUnsafeBytes { SHA256.hex($0) }.utf8) + [UInt8(ascii: "\n")]
    let descriptor = uninterrupted { open(path, O_WRONLY | O_APPEND | O_CLOEXEC) }
    guard descriptor >= 0 else { throw .unwritable(path, cause: SystemError.last("open")) }
    func failed(_ call: String) -> FileError {
      let cause = SystemError.last(call)
      close(descriptor)
      return .unwritable(path, cause: cause)
    }
    guard seal.withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failed("write") }
    guard uninterrupted({ fsync(descriptor) }) == 0 else { throw failed("fsync") }
    guard close(descriptor) == 0 else { throw .unwritable(path, cause: SystemError.last("close")) }
  }

  /// Compares a file with its seal.
  /// - Throws: `FileError` for one that cannot be read.
  package static func check(_ path: String) throws(FileError) -> State {
    let bytes = try read(path)
    guard bytes.count >= byteCount else { return .missing }
    let seal = bytes.suffix(byteCount)
    guard seal.starts(with: prefix), seal.last == UInt8(ascii: "\n") else { return .missing }
    let stated = seal.dropFirst(prefix.count).prefix(64)
    return stated.elementsEqual(bytes.dropLast(byteCount).withUnsafeBytes({ SHA256.hex($0) }).utf8) ? .valid : .broken
  }

  private static func read(_ path: String) throws(FileError) -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: path), options: .mappedIfSafe)
    } catch {
      throw FileError(path, "cannot be read", remedy: "check the path and its permissions", cause: error)
    }
  }
}
