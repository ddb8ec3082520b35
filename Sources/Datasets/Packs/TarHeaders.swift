// The headers of a tar archive, one after the other: POSIX ustar with pax records, and GNU's long names.
import Files

/// Walks over the members of an archive.
struct TarHeaders {
  private static let blockBytes = 512
  /// Longest extended header, in bytes.
  private static let maximumExtension = 1 << 20

  let file: OpenFile
  private var offset = 0

  init(file: OpenFile) { self.file = file }

  private func refuse(_ problem: String, _ remedy: String = "copy or write the archive again") -> FileError {
    FileError(file.path, problem, remedy: remedy)
  }

  /// The next regular file; nil at the end.
  /// - Throws: `FileError` for a damaged or cut header, and for members that are neither files nor folders.
  mutating func next() throws(FileError) -> (name: String, place: Range<Int>)? {
    var longName: [UInt8]?
    var statedSize: Int?
    while offset + Self.blockBytes <= file.size {
      let header = try file.read(offset..<offset + Self.blockBytes)
      guard header.contains(where: { $0 != 0 }) else { return nil }
      guard TarArchive.isHeader(header), Self.number(header[148..<156]) == Self.checksum(header) else {
        throw refuse("damaged: no header of a member at byte \(offset)")
      }
      let start = offset + Self.blockBytes
      let kind = header[156]
      // A stated size is the next file's, and none of another extended header's.
      let ownSize = [0, UInt8(ascii: "0"), UInt8(ascii: "7")].contains(kind) ? statedSize : nil
      guard let size = ownSize ?? Self.number(header[124..<136]), (0...file.size - start).contains(size) else {
        throw refuse("is cut, or damaged: the member at byte \(offset) goes on behind its end")
      }
      let place = start..<start + size
      offset = start + (size + Self.blockBytes - 1) / Self.blockBytes * Self.blockBytes
      switch kind {
      case UInt8(ascii: "x"), UInt8(ascii: "L"):
        guard size <= Self.maximumExtension else { throw refuse("damaged: a header of \(size) bytes") }
        let content = try file.read(place)
        if kind == UInt8(ascii: "L") {
          longName = Array(content.prefix { $0 != 0 })
        } else {
          let records = try paxRecords(content)
          longName = records["path"].map { Array($0.utf8) } ?? longName
          statedSize = records["size"].flatMap { Int($0) } ?? statedSize
        }
      case UInt8(ascii: "g"), UInt8(ascii: "K"), UInt8(ascii: "5"): (longName, statedSize) = (nil, nil)
      case 0, UInt8(ascii: "0"), UInt8(ascii: "7"):
        return (try name(longName ?? Self.shortName(header)), place)
      default:
        let name = try name(longName ?? Self.shortName(header))
        throw refuse(
          "\(quoted(name)) is a link or a device, no file", "write the archive with what links point at (tar -h)")
      }
    }
    return nil
  }

  /// Without `./` in front, as rows write it.
  private func name(_ bytes: [UInt8]) throws(FileError) -> String {
    let plain = bytes.starts(with: "./".utf8) ? bytes.dropFirst(2) : bytes[...]
    guard !plain.isEmpty, let name = String(validating: plain, as: UTF8.self) else {
      throw refuse("has a member whose name is empty or not UTF-8")
    }
    return name
  }

  private static func shortName(_ header: [UInt8]) -> [UInt8] {
    let name = Array(header[0..<100].prefix { $0 != 0 })
    // GNU's headers have other things where POSIX has the beginning of the name.
    let prefix = header[262] == 0 ? Array(header[345..<500].prefix { $0 != 0 }) : []
    return prefix.isEmpty ? name : prefix + [UInt8(ascii: "/")] + name
  }

  /// Octal digits between blanks, or GNU's big-endian binary; nil for anything else.
  private static func number(_ field: ArraySlice<UInt8>) -> Int? {
    if let first = field.first, first & 0x80 != 0 {
      let bytes = [first & 0x7F] + field.dropFirst()
      guard bytes.dropLast(7).allSatisfy({ $0 == 0 }) else { return nil }
      return bytes.suffix(7).reduce(0) { $0 << 8 | Int($1) }
    }
    let blanks: [UInt8] = [0, 0x20]
    let digits = field.drop { blanks.contains($0) }.prefix { !blanks.contains($0) }
    guard digits.allSatisfy({ (0x30...0x37).contains($0) }) else { return nil }
    return digits.reduce(0) { $0 << 3 | Int($1 - 0x30) }
  }

  /// The sum of a header's bytes with blanks for the sum itself.
  private static func checksum(_ header: [UInt8]) -> Int {
    header.enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 0x20 : Int($1.element)) }
  }

  /// Records `LENGTH KEY=VALUE\n`.
  private func paxRecords(_ bytes: [UInt8]) throws(FileError) -> [String: String] {
    var records: [String: String] = [:]
    var rest = bytes[...]
    while let blank = rest.firstIndex(of: 0x20) {
      guard let length = Int(String(decoding: rest[..<blank], as: UTF8.self)), length > blank - rest.startIndex + 1,
        length <= rest.count, rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw refuse("damaged: an extended header that is none") }
      let record = rest[(blank + 1)..<rest.startIndex + length - 1]
      rest = rest[(rest.startIndex + length)...]
      guard let equals = record.firstIndex(of: UInt8(ascii: "=")),
        let value = String(validating: record[(equals + 1)...], as: UTF8.self)
      else { continue }
      records[String(decoding: record[..<equals], as: UTF8.self)] = value
    }
    return records
  }
}
