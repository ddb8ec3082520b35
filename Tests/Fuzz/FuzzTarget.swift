// A parser under test, and the table of all of them.

import Digests

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
    documents + weights + models + configurations + tokenizers + templates + examples + runFiles + images + packs
    + preparations
    + checkpoints + scores + adapters + results + reports + shared

  /// Bytes of an HDF5 file under a right seal: what the library and the reader behind it make of them.
  static func sealed(
    _ name: String, seeds: @escaping @Sendable () throws -> [[UInt8]],
    use: @escaping @Sendable (_ path: String) throws -> Void
  ) -> FuzzTarget {
    FuzzTarget(
      name: name, dictionary: "hdf5", format: .bytes, seeds: { try seeds().map { Array($0.dropLast(Seal.byteCount)) } },
      read: { bytes in
        let path = WorkFolder.write("\(name).h5", bytes)
        try Seal.append(to: path)
        try use(path)
      })
  }
}
