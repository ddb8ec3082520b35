// What a command writes to standard output and standard error.
import Files
import Formatting
import Foundation
import Glibc
import MPI
import Synchronization

/// Prints a line on standard output and flushes it, because people read a batch system's log while the job runs.
///
/// Names and texts of files are in most lines: a terminal must not obey what stands in them.
@Sendable func say(_ line: String) { say(line, in: nil) }

/// Prints a line on standard output, on a terminal in a colour.
func say(_ line: String, in colour: Colour?) {
  let line = printable(line)
  ProgressLine.clear()
  print(colour.map { isTerminal ? "\u{1B}[\($0.rawValue)m\(line)\u{1B}[0m" : line } ?? line)
  fflush(nil)
}

/// The line at a terminal's bottom that says how far a piece of work is: each one takes the place of the one before.
enum ProgressLine {
  private static let isStanding = Atomic(false)

  /// Takes the line's place; on standard output that is no terminal nothing is printed.
  @Sendable static func show(_ line: String) {
    guard isTerminal else { return }
    var size = winsize()
    let columns = ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0 && size.ws_col > 1 ? Int(size.ws_col) - 1 : 79
    isStanding.store(true, ordering: .relaxed)
    print("\r\u{1B}[K" + String(printable(line).prefix(columns)), terminator: "")
    fflush(nil)
  }

  /// Makes room for a line that stays.
  static func clear() {
    if isStanding.exchange(false, ordering: .relaxed) { print("\r\u{1B}[K", terminator: "") }
  }
}

/// A colour's number in the codes of terminals.
enum Colour: Int {
  case green = 32
  case cyan = 36
}

/// Whether standard output is a terminal that this process has for itself: daemons of Open MPI give ranks one that ends
/// in a file as often as not.
let isTerminal = isatty(STDOUT_FILENO) == 1 && Launcher() == nil

/// Prints a JSON document on standard output; what a terminal would obey is escaped, as JSON may.
func sayJSON(_ value: some Encodable) throws { say(try jsonDocument(value)) }

/// Prints one line on standard error.
@Sendable func complain(_ line: String) {
  ProgressLine.clear()
  fflush(nil)
  let words = printable(line).unicodeScalars.map { $0 == "\n" ? " " : String($0) }.joined()
  FileHandle.standardError.write(Data("imagelora: \(words)\n".utf8))
}

/// Prints an answer on standard output as it grows: as it is into a file or pipe, on a terminal without what it obeys.
struct GrowingAnswer {
  private var text = GrowingText()

  /// The next token's bytes, not text: a token may end in the middle of a character.
  mutating func add(_ bytes: [UInt8]) {
    FileHandle.standardOutput.write(isTerminal ? Data(text.add(bytes).utf8) : Data(bytes))
  }

  mutating func end() { say(text.end()) }
}

/// Reports the progress of a longer piece of work: on a terminal in its progress line, elsewhere with at most one line
/// every ten seconds.
struct Progress {
  private var reported = ContinuousClock.now

  mutating func note(_ line: String) {
    guard !isTerminal else { return ProgressLine.show(line) }
    guard ContinuousClock.now - reported > .seconds(10) else { return }
    reported = .now
    say(line)
  }
}

/// Checks a path for predictions before the work is done that they take.
/// - Throws: `FileError` where it cannot be written, or is there already: somebody may want to keep it.
func checkNew(_ path: String, overwrite: Bool) throws {
  try checkWritable(path)
  guard try overwrite || !isThere(path) else {
    throw FileError(path, "is there already", remedy: "move it away, name another --output, or give --overwrite")
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
