// What a command writes to standard output and standard error.
import Files
import Formatting
import Foundation
import Glibc

/// A line on standard output, at once: a batch system's log is read while the job runs.
@Sendable func say(_ line: String) {
  print(line)
  fflush(nil)
}

/// A document for programs on standard output.
func sayJSON(_ value: some Encodable) throws { say(try jsonDocument(value)) }

/// One line on standard error.
@Sendable func complain(_ line: String) {
  FileHandle.standardError.write(Data("imagelora: \(line.replacing("\n", with: " "))\n".utf8))
}

/// Reports now and then how far a longer piece of work is: at most a line in ten seconds.
struct Progress {
  private var reported = ContinuousClock.now

  mutating func note(_ line: String) {
    guard ContinuousClock.now - reported > .seconds(10) else { return }
    reported = .now
    say(line)
  }
}

/// Writes a result: a path that cannot be one is what the user gave, any failure after that the machine's.
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
