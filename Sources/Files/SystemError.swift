// The operating system's message for a failed call.
import Foundation
import Glibc

/// A failed system call.
package struct SystemError: Error, Equatable, CustomStringConvertible {
  /// The call, as in "rename".
  package let call: String
  package let code: Int32

  /// The calling thread's last failed call.
  package static func last(_ call: String) -> SystemError { SystemError(call: call, code: errno) }

  package var description: String { "\(String(cString: strerror(code))) (\(call))" }
}

/// Whether an error is a failure of this machine, as a full or broken disk, and not of a path or a file that the user
/// named. Errors that decide the exit status of a command have said so.
package func isMachineFault(_ error: any Error) -> Bool {
  switch error {
  case let error as any ExitStatusError: return error.exitStatus == ExitStatus.failed
  case let error as SystemError: return isMachineFault(code: error.code)
  default:
    // On Linux any NSError is a CocoaError for Swift's casts; the domain tells.
    let error = error as NSError
    if error.domain == NSPOSIXErrorDomain { return isMachineFault(code: Int32(truncatingIfNeeded: error.code)) }
    return (error.userInfo[NSUnderlyingErrorKey] as? any Error).map(isMachineFault) ?? false
  }
}

/// Whether an `errno` is a failure of the machine.
package func isMachineFault(code: Int32) -> Bool {
  [
    EIO, ENOSPC, EDQUOT, EFBIG, EINTR, EAGAIN, ENOMEM, EMFILE, ENFILE, ENOBUFS, ENOLCK, ESTALE, ETIMEDOUT, EREMOTEIO,
    ENXIO,
  ].contains(code)
}

/// A system call, made again for as long as a signal interrupts it.
package func uninterrupted<Result: SignedInteger>(_ call: () -> Result) -> Result {
  while true {
    let result = call()
    if result != -1 || errno != EINTR { return result }
  }
}

/// The operating system's message for an error of Foundation where there is one, the error's own description otherwise.
package func systemWords(_ error: any Error) -> String {
  guard let error = error as? CocoaError else { return "\(error)" }
  let cause = error.userInfo[NSUnderlyingErrorKey] as? any Error
  return (cause ?? error).localizedDescription
}
