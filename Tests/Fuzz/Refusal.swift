// What an input may be refused with: the program's own errors, each one line of bounded length.
import Artifacts
import Datasets
import Files
import HDF5
import HuggingFace
import Preprocessing
import RunFile

/// A refusal of an input.
enum Refusal {
  /// The longest line that is still read by people.
  private static let maximumBytes = 16 << 10

  /// Ends the process for an error that no command would report in one line.
  static func check(_ error: any Error) {
    switch error {
    case is FileError, is HuggingFaceError, is DatasetError, is PreprocessingError, is SampleError, is RunFileError,
      is HDF5Error, is JSONSyntaxError, is InfluenceScores.MergeError:
      break
    default: preconditionFailure("not an error of this program: \(type(of: error)): \(error)")
    }
    let line = printable("\(error)")
    precondition(!line.utf8.contains(UInt8(ascii: "\n")), "an error of several lines: \(error)")
    precondition(line.utf8.count <= maximumBytes, "an error of \(line.utf8.count) bytes: \(line.prefix(200))")
  }

  /// Runs a reader whose refusal does not end the input's use.
  static func allowing<Value>(_ body: () throws -> Value) -> Value? {
    do {
      return try body()
    } catch {
      check(error)
      return nil
    }
  }
}
