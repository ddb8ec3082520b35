// A preparation as a sealed HDF5 file. docs/formats.md has its layout.
import Datasets
import Digests
import Files
import Foundation
import HDF5

enum PreparationFile {
  static let schemaVersion: Int64 = 1
  private static let format = "imagelora-prepared"

  private enum Path {
    static let examples = "/examples"
    static let patches = "/patches"
    static let remarks = "/remarks"
    static let names = "/images/names"
    static let states = "/images/states"
    static let digests = "/images/sha256"
  }

  /// The columns of `/examples`, in their order.
  private static let columns = [
    "file", "start", "count", "line", "number", "last_message", "tokens", "visual", "first", "shared", "answers", "key",
    "images",
  ]
  /// The digest of an image that could not be used.
  private static let none = String(repeating: "0", count: 64)
  /// More than any run has, in elements of a dataset.
  private static let most = 1 << 36

  static func write(_ p: Preparation, key: String, to path: String) throws {
    var numbers: [Int64] = []
    numbers.reserveCapacity(p.rows.count * columns.count)
    for index in p.rows.indices {
      let (row, shape) = (p.rows[index], p.shapes[index])
      for number in [
        row.file, row.start, row.count, row.line, row.number, p.lastMessages[index] ?? -1, shape.tokens, shape.visual,
        shape.first, shape.shared, shape.answers, p.keys[index], shape.images.count,
      ] { numbers.append(Int64(number)) }
    }
    let remarks = String(decoding: try JSONEncoder().encode(p.remarks), as: UTF8.self)
    let partial = "\(path).\(String(UInt64.random(in: 0 ... .max), radix: 16)).partial"
    try File.replace(path, partial: partial, sealed: { try Seal.append(to: $0) }) { file in
      try file.setAttribute("format", to: format)
      try file.setAttribute("schema_version", to: schemaVersion)
      try file.setAttribute("key", to: key)
      try file.write(numbers, shape: [p.rows.count, columns.count], to: Path.examples)
      let patches = p.shapes.flatMap { $0.images.map(Int64.init) }
      try file.write(patches, shape: [patches.count], to: Path.patches)
      try file.write(Array(remarks.utf8), shape: [remarks.utf8.count], to: Path.remarks)
      let names = p.images.flatMap { image -> [UInt8] in Array(image.path.utf8) + [0] }
      try file.write(names, shape: [names.count], to: Path.names)
      let states = p.images.flatMap { [Int64($0.state.size), Int64($0.state.modified)] }
      try file.write(states, shape: [p.images.count, 2], to: Path.states)
      let digests = p.images.flatMap { image -> [UInt8] in Array((image.digest ?? none).utf8) }
      try file.write(digests, shape: [p.images.count, 64], to: Path.digests)
    }
  }

  /// The preparation in a file; nil where there is none of this key whose bytes are those that were written.
  static func read(_ path: String, key: String) -> Preparation? {
    guard (try? isThere(path)) == true, (try? Seal.check(path)) == .valid else { return nil }
    return try? content(of: path, key: key)
  }

  private struct Unfit: Error {}

  private static func content(of path: String, key: String) throws -> Preparation {
    let file = try File.open(path)
    guard try file.attribute("format", as: String.self) == format,
      try file.attribute("schema_version", as: Int64.self) == schemaVersion,
      try file.attribute("key", as: String.self) == key
    else { throw Unfit() }
    let (numbers, shape) = try file.read(Int64.self, from: Path.examples, maximumCount: most)
    guard shape.count == 2, shape[1] == columns.count, shape[0] > 0 else { throw Unfit() }
    let patches = try file.read(Int64.self, from: Path.patches, maximumCount: most).values
    let remarks = try JSONDecoder().decode(
      Preparation.Remarks.self, from: Data(try file.read(UInt8.self, from: Path.remarks, maximumCount: most).values))
    var found = Preparation(rows: [], lastMessages: [], shapes: [], keys: [], images: [], remarks: remarks)
    guard remarks.parts.allSatisfy({ $0.count >= 0 && $0.weight > 0 && $0.weight.isFinite }),
      remarks.parts.reduce(0, { $0 &+ $1.count }) == shape[0]
    else { throw Unfit() }
    try takeExamples(numbers, patches, count: shape[0], into: &found)
    found.images = try images(of: file)
    return found
  }

  private static func takeExamples(
    _ numbers: [Int64], _ patches: [Int64], count: Int, into found: inout Preparation
  ) throws {
    found.rows.reserveCapacity(count)
    found.lastMessages.reserveCapacity(count)
    found.shapes.reserveCapacity(count)
    found.keys.reserveCapacity(count)
    var firstPatches = 0
    for index in 0..<count {
      let values = numbers[index * columns.count..<(index + 1) * columns.count]
      func at(_ column: Int) -> Int { Int(values[values.startIndex + column]) }
      let (tokens, images) = (at(6), at(12))
      guard (0...4).allSatisfy({ at($0) >= 0 }), at(5) >= -1, (1...1 << 32).contains(tokens),
        (7...10).allSatisfy({ (0...tokens).contains(at($0)) }), (0...index).contains(at(11)), images >= 0,
        images <= patches.count - firstPatches
      else { throw Unfit() }
      let own = patches[firstPatches..<firstPatches + images]
      firstPatches += images
      guard own.allSatisfy({ (1...1 << 32).contains($0) }) else { throw Unfit() }
      found.rows.append(RowPlace(file: at(0), start: at(1), count: at(2), line: at(3), number: at(4)))
      found.lastMessages.append(at(5) < 0 ? nil : at(5))
      found.shapes.append(
        ExampleShape(
          tokens: tokens, visual: at(7), first: at(8), shared: at(9), answers: at(10), images: own.map(Int.init)))
      found.keys.append(at(11))
    }
    guard firstPatches == patches.count else { throw Unfit() }
  }

  private static func images(of file: borrowing File) throws -> [Preparation.LooseImage] {
    let names = try file.read(UInt8.self, from: Path.names, maximumCount: most).values
      .split(separator: 0, omittingEmptySubsequences: false).dropLast()
    let states = try file.read(Int64.self, from: Path.states, shape: [names.count, 2])
    let digests = try file.read(UInt8.self, from: Path.digests, shape: [names.count, 64])
    return try names.enumerated().map { index, bytes in
      guard let path = String(validating: bytes, as: UTF8.self) else { throw Unfit() }
      let digest = String(decoding: digests[64 * index..<64 * (index + 1)], as: UTF8.self)
      return Preparation.LooseImage(
        path: path, state: FileState(size: Int(states[2 * index]), modified: Int(states[2 * index + 1])),
        digest: digest == none ? nil : digest)
    }
  }
}
