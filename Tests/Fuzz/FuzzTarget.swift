// A parser under test, and the table of all of them.

/// A parser of files that others made.
struct FuzzTarget: Sendable {
  let name: String
  /// A file of `dictionaries`, without `.dict`.
  let dictionary: String
  /// How inputs are changed.
  let format: InputFormat
  /// Inputs to begin with, made from the repository's fixtures.
  let seeds: @Sendable () throws -> [[UInt8]]
  /// Reads an input exactly as the program does. It may throw the program's own errors and nothing else.
  let read: @Sendable ([UInt8]) throws -> Void

  static let all: [FuzzTarget] =
    documents + weights + models + configurations + tokenizers + templates + examples + runFiles + images + checkpoints
    + scores + adapters + results + reports
}
