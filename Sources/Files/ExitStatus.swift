// Exit statuses that scripts rely on, and the errors that decide them.

/// The exit statuses of the commands (sysexits.h).
package enum ExitStatus {
  /// A failure of the machine, a signal, or values that are not finite.
  package static let failed: Int32 = 1
  /// The command line.
  package static let badUsage: Int32 = 64
  /// Files and settings that the user gave.
  package static let badInput: Int32 = 65
  /// A job in which no rank got on any more, as with a host or a network that is gone: to be started again.
  package static let stalled: Int32 = 75

  /// The exit status of a command for an error: `badInput` unless the error has another status, since most
  /// errors come from reading what users gave.
  package static func of(_ error: any Error) -> Int32 {
    (error as? any ExitStatusError)?.exitStatus ?? (isMachineFault(error) ? failed : badInput)
  }
}

/// An error that decides the exit status of a command.
package protocol ExitStatusError: Error {
  var exitStatus: Int32 { get }
}

extension FileError: ExitStatusError {
  package var exitStatus: Int32 { fault == .input ? ExitStatus.badInput : ExitStatus.failed }
}
