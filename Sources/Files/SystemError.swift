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

/// The operating system's message for an error of Foundation where there is one, the error's own description otherwise.
package func systemWords(_ error: any Error) -> String {
  guard let error = error as? CocoaError else { return "\(error)" }
  let cause = error.userInfo[NSUnderlyingErrorKey] as? any Error
  return (cause ?? error).localizedDescription
}
