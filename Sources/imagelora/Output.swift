// What a command writes to standard output and standard error.
import Files
import Formatting
import Foundation
import Glibc

/// Prints a line on standard output and flushes it, because people read a batch system's log while the job runs.
@Sendable func say(_ line: String) {
  print(line)
  fflush(nil)
}

/// Prints a JSON document on standard output.
func sayJSON(_ value: some Encodable) throws { say(try jsonDocument(value)) }

/// Prints one line on standard error.
@Sendable func complain(_ line: String) {
  FileHandle.standardError.write(Data("imagelora: \(line.replacing("\n", with: " "))\n".utf8))
}

/// Reports the progress of a longer piece of work, at most one line every ten seconds.
struct Progress {
  private var reported = ContinuousClock.now

  mutating func note(_ line: String) {
    guard ContinuousClock.now - reported > .seconds(10) else { return }
    reported = .now
    say(line)
  }
}

/// Writes a result. A path that cannot be written is the user's fault; any later failure is the machine's.
func saving(_ path: String, _ write: () throws -> Void) throws {
  try checkWritable(path)
  do {
    try write()
  } catch let error as FileError {
    throw FileError(error.file, error.problem, remedy: error.remedy, cause: error.cause, fault: .machine)
  } catch {
    throw FileError(path, "not saved", cause: error, fault: .machine)
  }
}
