// What an input may be refused with: the program's own errors, each one line of bounded length.
import Artifacts
import Datasets
import Files
import Foundation
import HDF5
import HuggingFace
import Preprocessing
import QwenVL
import RunFile

/// Ends the process unless what an input became is what it must be. A precondition would not say its words in a release
/// build.
func require(_ holds: Bool, _ words: @autoclosure () -> String = "", line: UInt = #line, file: StaticString = #file) {
  if !holds { fatalError(words(), file: file, line: line) }
}

/// A refusal of an input.
enum Refusal {
  /// The longest line that people may be given, in scalars.
  private static let longest = 8192
  /// Whether refusals are printed, for people who look at one input.
  private static let isShown = ProcessInfo.processInfo.environment["IMAGELORA_FUZZ_SHOW"] != nil

  /// Ends the process for an error that no command would report in one line.
  static func check(_ error: any Error) {
    switch error {
    case is FileError, is HuggingFaceError, is DatasetError, is PreprocessingError, is SampleError, is RunFileError,
      is HDF5Error, is JSONSyntaxError, is InfluenceScores.MergeError, is UnknownTensors:
      break
    default: fatalError("not an error of this program: \(type(of: error)): \(error)")
    }
    let line = "\(error)"
    if isShown { print(printable(line)) }
    require(!line.utf8.contains(UInt8(ascii: "\n")), "an error of several lines: \(line)")
    let count = line.unicodeScalars.count
    require(count <= longest, "an error of \(count) scalars: \(line.unicodeScalars.prefix(200))")
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
