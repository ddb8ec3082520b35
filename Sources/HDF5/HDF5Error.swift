// The module's one error, and the one place where negative return codes become errors.
import CHDF5
import Files
import Glibc

/// A failed operation on an HDF5 file: what was tried, where, and the library's own message if it gave one.
package struct HDF5Error: Error, Equatable, Sendable, CustomStringConvertible {
  /// What was tried, as in "read dataset".
  package let attempt: String
  /// The file's path.
  package let file: String
  /// The path of the object inside the file; nil for the file as a whole.
  package let object: String?
  /// What was wrong and, where this module knows it, how to fix it.
  package let reason: String
  /// The library or system function that failed; nil where this module refused by itself.
  package let function: String?
  /// The operating system's `errno`, where it is one of its calls that failed and this is known.
  package let code: Int32?

  /// One line: what, where, why.
  package var description: String {
    let place = object.map { "\($0) of \(file)" } ?? file
    return oneLine("cannot \(attempt) \(place): \(reason)" + (function.map { " (\($0))" } ?? ""))
  }
}

extension HDF5Error: ExitStatusError {
  package var exitStatus: Int32 { code.map(isMachineFault(code:)) ?? false ? ExitStatus.failed : ExitStatus.badInput }
}

/// What is being done to which object of which file: the context of a possible error.
struct Attempt {
  let attempt: String
  let file: String
  var object: String?

  /// Runs a library call and returns its code, or throws the library's message if the code is negative.
  @discardableResult
  func check<Code: SignedInteger>(_ function: String, _ call: () -> Code) throws -> Code {
    // Printing is a property of the thread in a thread-safe library, hence here and not once at the start.
    H5Eset_auto2(CHDF5_DEFAULT(), nil, nil)
    errno = 0
    let code = call()
    let cause = errno
    guard code >= 0 else {
      throw error(
        libraryWords() ?? "the library gives no reason", in: function,
        code: Self.machineFaults.contains(cause) ? cause : nil)
    }
    return code
  }

  /// Faults of the machine that a failed call of the library may leave in `errno` without saying so in its message. No
  /// others: the library also leaves those of calls that it can do without, as of locks.
  private static let machineFaults = [EIO, ESTALE, EMFILE, ENFILE, ENOMEM]

  func error(_ reason: String, in function: String? = nil, code: Int32? = nil) -> HDF5Error {
    HDF5Error(
      attempt: attempt, file: file, object: object, reason: reason, function: function,
      code: code ?? Self.code(in: reason))
  }

  /// The number in the library's "errno = 5, error message = 'Input/output error'".
  private static func code(in reason: String) -> Int32? {
    guard let start = reason.range(of: "errno = ") else { return nil }
    return Int32(reason[start.upperBound...].prefix { $0.isNumber })
  }

  /// The most specific entry of this thread's error stack.
  private func libraryWords() -> String? {
    var words: String?
    withUnsafeMutablePointer(to: &words) { words in
      _ = H5Ewalk2(
        CHDF5_DEFAULT(), H5E_WALK_UPWARD,
        { _, entry, words in
          let words = words?.assumingMemoryBound(to: String?.self)
          if let text = entry?.pointee.desc, text.pointee != 0, words?.pointee == nil {
            words?.pointee = String(cString: text)
          }
          return 0
        }, words)
    }
    return words
  }
}
