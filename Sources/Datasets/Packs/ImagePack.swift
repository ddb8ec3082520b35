// Rows and the bytes of their images in one HDF5 file: its index, checked when it is opened, and its images.
import Digests
import Files
import HDF5

/// An open pack. Its index stays in memory, its images in the file.
package final class ImagePack: ImageContainer {
  /// Version of the layout.
  static let schemaVersion: Int64 = 1
  /// The attribute `format` of a pack.
  static let format = "imagelora-pack"

  /// As of a loose image: none within the decoder's limit of pixels needs more.
  static let maximumImageBytes = 1 << 30
  /// The index and the rows are held in memory; a sparse file may claim any size.
  private static let maximumIndexBytes = 1 << 34

  /// Paths of the datasets.
  enum Path {
    static let rows = "/rows"
    static let names = "/images/names"
    static let offsets = "/images/offsets"
    static let lengths = "/images/lengths"
    static let digests = "/images/sha256"
    static let bytes = "/images/bytes"
    static let index = "/index_sha256"
  }

  package let path: String
  /// Names of the images, as rows write them, in the order of their first use.
  private let names: ImageNames
  /// SHA-256 of the index, 64 hexadecimal digits.
  package let indexDigest: String
  var contentDigest: String? { indexDigest }
  /// Where the bytes of each image are in the file.
  private let places: [Range<Int>]
  /// SHA-256 of each image, 32 bytes after 32 bytes.
  private let digests: [UInt8]
  private let file: OpenFile

  /// Whether a file begins as HDF5 files do.
  package static func isHDF5(_ path: String) -> Bool {
    guard let file = try? OpenFile(path), let bytes = try? file.read(0..<8) else { return false }
    return bytes == [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
  }

  /// Opens a pack, checks its index, and reads the text of its rows.
  /// - Throws: `FileError` or `HDF5Error` for what is no pack, and for an index of other bytes than its digest states.
  package static func open(_ path: String) throws -> (pack: ImagePack, rows: [UInt8]) {
    var rows: [UInt8] = []
    let pack = try ImagePack(path, rows: &rows)
    return (pack, rows)
  }

  private init(_ path: String, rows: inout [UInt8]) throws {
    func refuse(_ problem: String, remedy: String = "pack the rows again") -> FileError {
      FileError(path, problem, remedy: remedy)
    }
    self.path = path
    file = try OpenFile(path)
    let size = file.size
    let content = try File.open(path)
    guard try content.hasAttribute("format"),
      try content.attribute("format", as: String.self).hasSameBytes(as: Self.format)
    else { throw refuse("is an HDF5 file but no pack", remedy: "give rows, or what imagelora pack has written") }
    let version = try content.attribute("schema_version", as: Int64.self)
    guard version == Self.schemaVersion else {
      throw refuse("is a pack of version \(version), only version \(Self.schemaVersion) is read")
    }
    let rowsPlace = try content.place(ofBytes: Path.rows)
    let bytes = try content.place(ofBytes: Path.bytes)
    guard max(rowsPlace.upperBound, bytes.upperBound) <= size else {
      throw refuse("is cut: it has \(size) bytes of \(max(rowsPlace.upperBound, bytes.upperBound))")
    }
    guard rowsPlace.count <= Self.maximumIndexBytes else {
      throw refuse("has \(rowsPlace.count) bytes of rows, the limit is \(Self.maximumIndexBytes)", remedy: "split it")
    }
    // An index without filters has no more values than the file has bytes.
    let most = min(size, Self.maximumIndexBytes)
    let names = try content.read(UInt8.self, from: Path.names, maximumCount: most).values
    let offsets = try content.read(Int64.self, from: Path.offsets, maximumCount: most / 32).values
    let count = offsets.count
    let lengths = try content.read(Int64.self, from: Path.lengths, shape: [count])
    digests = try content.read(UInt8.self, from: Path.digests, shape: [count, 32])
    let stated = hexadecimal(try content.read(UInt8.self, from: Path.index, shape: [32])[...])
    try content.close()
    rows = try file.read(rowsPlace)
    indexDigest = Self.indexDigest(rows: rows, names: names, offsets: offsets, lengths: lengths, digests: digests)
    guard indexDigest == stated else {
      throw refuse("damaged: its rows or its list of images are not those that were packed")
    }
    do { self.names = try ImageNames(names) } catch {
      switch error {
      case .notUTF8(let number): throw refuse("the name of image \(number) is not UTF-8")
      case .twice(let name): throw refuse("has two images of the name \(quoted(name))")
      }
    }
    guard self.names.count == count, names.last ?? 0 == 0 else {
      throw refuse("has \(self.names.count) names of \(count) images")
    }
    places = try zip(offsets, lengths).enumerated().map { number, place in
      let (start, length) = (Int(place.0), Int(place.1))
      guard start >= 0, length >= 0, length <= bytes.count, start <= bytes.count - length else {
        throw refuse("image \(number) lies outside of \(Path.bytes)")
      }
      guard length <= Self.maximumImageBytes else {
        throw refuse("image \(number) has \(length) bytes, the limit is \(Self.maximumImageBytes)")
      }
      return bytes.lowerBound + start..<bytes.lowerBound + start + length
    }
  }

  /// SHA-256 over the path, the number of bytes and the bytes of each dataset of the index, in this order; numbers are
  /// little-endian.
  package static func indexDigest(
    rows: [UInt8], names: [UInt8], offsets: [Int64], lengths: [Int64], digests: [UInt8]
  ) -> String {
    var digest = SHA256()
    func add<Value>(_ values: [Value], _ path: String, to digest: inout SHA256) {
      values.withUnsafeBytes { bytes in
        digest.update("\(path) \(bytes.count)\n")
        digest.update(bytes)
      }
    }
    add(rows, Path.rows, to: &digest)
    add(names, Path.names, to: &digest)
    add(offsets, Path.offsets, to: &digest)
    add(lengths, Path.lengths, to: &digest)
    add(digests, Path.digests, to: &digest)
    return digest.finish()
  }

  /// Bytes of all images, those under several names counted once.
  package var imageByteCount: Int { Set(places).reduce(0) { $0 + $1.count } }

  /// The image that rows write so; nil where there is none.
  package func image(named name: String) -> PackedImage? {
    names.number(of: name).map { PackedImage(container: self, number: $0) }
  }

  /// How many there are.
  package var imageCount: Int { names.count }

  /// All images, in the order of their first use.
  package var images: some Sequence<PackedImage> {
    (0..<names.count).lazy.map { PackedImage(container: self, number: $0) }
  }

  static let absence = "is not in the pack; pack the rows again"
  func name(_ number: Int) -> String { names[number] }
  func place(_ number: Int) -> Range<Int> { places[number] }
  func statedDigest(_ number: Int) -> String? { hexadecimal(digests[32 * number..<32 * number + 32]) }
  func read(_ place: Range<Int>) throws(FileError) -> [UInt8] { try file.read(place) }
}

/// Two digits a byte.
func hexadecimal(_ bytes: ArraySlice<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  return String(decoding: bytes.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
}
