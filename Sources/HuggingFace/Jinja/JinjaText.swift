// Python's string methods over the bytes of UTF-8: exact in scalars, linear in time, without arrays of characters.
import Files

enum JinjaText {
  struct Edges: OptionSet {
    let rawValue: Int
    static let start = Edges(rawValue: 1)
    static let end = Edges(rawValue: 2)
  }

  /// Takes scalars of `set` (white space if nil) from the given edges.
  static func strip(_ text: String, _ set: String?, _ edges: Edges) -> String {
    let set = set.map { Set($0.unicodeScalars) }
    func goes(_ scalar: Unicode.Scalar) -> Bool { set?.contains(scalar) ?? isSpace(scalar) }
    var scalars = text.unicodeScalars[...]
    if edges.contains(.start) { scalars = scalars.drop(while: goes) }
    while edges.contains(.end), let last = scalars.last, goes(last) { scalars.removeLast() }
    return scalars.startIndex == text.startIndex && scalars.endIndex == text.endIndex ? text : String(scalars)
  }

  /// Python's `str.isspace`.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(scalar)
  }

  /// How often a part, which is not empty, occurs without overlap.
  static func count(of part: ByteSearch, in text: String) -> Int {
    var count = 0
    each(part, in: text) { _, _ in count += 1 }
    return count
  }

  /// The parts of `text` between occurrences of `separator`, which is not empty.
  static func split(_ text: String, by separator: ByteSearch) -> [String] {
    var parts: [String] = []
    var start = 0
    each(separator, in: text) { bytes, found in
      parts.append(String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<found]), as: UTF8.self))
      start = found + separator.count
    }
    withBytes(of: text) { bytes in
      parts.append(String(decoding: UnsafeBufferPointer(rebasing: bytes[start...]), as: UTF8.self))
    }
    return parts
  }

  /// The text with `replacement` in the place of each of `count` occurrences of `part`, which is not empty.
  static func replace(_ part: ByteSearch, _ count: Int, in text: String, by replacement: String) -> String {
    guard count > 0 else { return text }
    let length = text.utf8.count - count * part.count + count * replacement.utf8.count
    return String(unsafeUninitializedCapacity: length) { result in
      var (start, end) = (0, 0)
      func append(_ bytes: UnsafeBufferPointer<UInt8>) {
        end = result[end...].update(fromContentsOf: bytes)
      }
      withBytes(of: replacement) { replacement in
        each(part, in: text) { bytes, found in
          append(UnsafeBufferPointer(rebasing: bytes[start..<found]))
          append(replacement)
          start = found + part.count
        }
      }
      withBytes(of: text) { append(UnsafeBufferPointer(rebasing: $0[start...])) }
      return end
    }
  }

  /// Calls `body` with the text's bytes and the place of each occurrence of a part. UTF-8 synchronises itself: bytes
  /// match only where scalars do.
  private static func each(_ part: ByteSearch, in text: String, _ body: (UnsafeBufferPointer<UInt8>, Int) -> Void) {
    withBytes(of: text) { bytes in
      var start = 0
      while let found = part.first(in: bytes, from: start) {
        body(bytes, found)
        start = found + part.count
      }
    }
  }

  /// How many scalars a text has.
  static func length(_ text: String) -> Int {
    withBytes(of: text) { $0.reduce(0) { $0 + ($1 & 0xC0 == 0x80 ? 0 : 1) } }
  }

  /// The scalars of a text that a slice picks.
  static func slice(_ text: String, _ slice: JinjaSlice) -> String {
    guard slice.count > 0 else { return "" }
    return withBytes(of: text) { bytes in
      func isTail(_ place: Int) -> Bool { place < bytes.count && bytes[place] & 0xC0 == 0x80 }
      /// Moves by scalars; linear in their bytes.
      func move(_ place: Int, by count: Int) -> Int {
        if bytes.count == slice.total { return place + count }
        var place = place
        for _ in 0..<abs(count) {
          repeat { place += count.signum() } while isTail(place)
        }
        return place
      }
      return String(unsafeUninitializedCapacity: slice.bytes(of: bytes.count)) { result in
        var end = 0
        var place = slice.step > 0 ? move(0, by: slice.first) : move(bytes.count, by: slice.first - slice.total)
        for pick in 0..<slice.count {
          if pick > 0 { place = move(place, by: slice.step) }
          var source = place
          repeat {
            result[end] = bytes[source]
            (end, source) = (end + 1, source + 1)
          } while isTail(source)
        }
        return end
      }
    }
  }

  /// A JSON string in Python's spelling.
  static func quoted(_ text: String) -> String {
    var result: [UInt8] = []
    appendQuoted(text, to: &result)
    return String(decoding: result, as: UTF8.self)
  }

  /// Appends a JSON string in Python's spelling.
  static func appendQuoted(_ text: String, to result: inout [UInt8]) {
    result.append(UInt8(ascii: "\""))
    withBytes(of: text) { bytes in
      for byte in bytes {
        switch byte {
        case UInt8(ascii: "\""): result.append(contentsOf: "\\\"".utf8)
        case UInt8(ascii: "\\"): result.append(contentsOf: "\\\\".utf8)
        case 0x0A: result.append(contentsOf: "\\n".utf8)
        case 0x0D: result.append(contentsOf: "\\r".utf8)
        case 0x09: result.append(contentsOf: "\\t".utf8)
        case 0x08: result.append(contentsOf: "\\b".utf8)
        case 0x0C: result.append(contentsOf: "\\f".utf8)
        case 0..<0x20: result.append(contentsOf: "\\u00\(byte >> 4)\(String(byte & 15, radix: 16))".utf8)
        default: result.append(byte)
        }
      }
    }
    result.append(UInt8(ascii: "\""))
  }

  private static func withBytes<Result>(of text: String, _ body: (UnsafeBufferPointer<UInt8>) -> Result) -> Result {
    var text = text
    return text.withUTF8(body)
  }
}
