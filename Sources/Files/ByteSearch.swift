// A search in linear time: the standard library's is quadratic on texts that repeat themselves, and slow on others.
import Glibc

/// Looks for some bytes (Knuth, Morris and Pratt 1977).
package struct ByteSearch: Sendable {
  private let part: [UInt8]
  /// Of each beginning of the part, the longest shorter beginning that it ends with.
  private let borders: [UInt32]

  /// - Precondition: the part has fewer than 2^32 bytes.
  package init(_ part: some Sequence<UInt8>) {
    let part = Array(part)
    var borders = [UInt32](repeating: 0, count: part.count)
    var length = 0
    for index in part.indices.dropFirst() {
      while length > 0, part[index] != part[length] { length = Int(borders[length - 1]) }
      if part[index] == part[length] { length += 1 }
      borders[index] = UInt32(length)
    }
    (self.part, self.borders) = (part, borders)
  }

  /// Bytes of the part.
  package var count: Int { part.count }

  /// Where the first occurrence begins that begins at `start` or later; nil where there is none.
  package func first(in bytes: UnsafeBufferPointer<UInt8>, from start: Int = 0) -> Int? {
    guard !part.isEmpty else { return start }
    var length = 0
    var index = start
    while index < bytes.count {
      let byte = bytes[index]
      while length > 0, byte != part[length] { length = Int(borders[length - 1]) }
      if byte == part[length] { length += 1 }
      index += 1
      if length == part.count { return index - length }
    }
    return nil
  }

  /// Whether the part is somewhere in a text.
  package func isPart(of text: String) -> Bool {
    var text = text
    return text.withUTF8 { first(in: $0) != nil }
  }

  /// Where the last occurrence in a text begins, in bytes; nil where there is none.
  package func last(in text: String) -> Int? {
    var text = text
    return text.withUTF8 { bytes in
      var last: Int?
      var start = 0
      while let found = first(in: bytes, from: start) {
        last = found
        start = found + max(count, 1)
        guard start <= bytes.count else { break }
      }
      return last
    }
  }
}

extension String {
  /// Whether a byte is in the text's UTF-8; many times faster than `utf8.contains`.
  package func holds(_ byte: UInt8) -> Bool {
    utf8.withContiguousStorageIfAvailable { bytes in
      bytes.baseAddress.map { memchr($0, Int32(byte), bytes.count) != nil } ?? false
    } ?? utf8.contains(byte)
  }
}
