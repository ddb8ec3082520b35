// The one error about a file or a folder: which, what is wrong with it, why, and how to fix it.

/// A file or a folder that cannot be used.
package struct FileError: Error, Equatable, CustomStringConvertible {
  /// Who is responsible for it; decides the exit status of a command.
  package enum Fault: Sendable {
    /// The file's contents or path, which the user must fix.
    case input
    /// A failure of this machine, as a full disk.
    case machine
  }

  /// The path, or the paths.
  package let file: String
  /// What is wrong, as the rest of a sentence that begins with the file.
  package let problem: String
  /// How to fix it; nil where the problem already states it.
  package let remedy: String?
  /// The error below this one.
  package let cause: (any Error)?
  package let fault: Fault

  /// - Parameter fault: the machine's in any case where the cause is.
  package init(
    _ file: String, _ problem: String, remedy: String? = nil, cause: (any Error)? = nil, fault: Fault = .input
  ) {
    (self.file, self.problem, self.remedy, self.cause) = (file, problem, remedy, cause)
    self.fault = cause.map(isMachineFault) ?? false ? .machine : fault
  }

  /// One line, whatever a hostile file has for names.
  package var description: String {
    let reason = cause.map { ": \(systemWords($0))" } ?? ""
    return oneLine("\(file): \(problem)\(reason)" + (remedy.map { "; \($0)" } ?? ""))
  }

  package static func == (a: FileError, b: FileError) -> Bool {
    a.description == b.description && a.fault == b.fault
  }
}
