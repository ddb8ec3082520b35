// The names of a pack's images: found by their bytes, without a text of its own for each of a million.

/// Names with a zero byte after each, and which of them is which.
struct ImageNames: Sendable {
  enum Fault: Error {
    case notUTF8(Int)
    case twice(String)
  }

  private let bytes: [UInt8]
  /// Where each name ends.
  private let ends: [Int]
  /// Numbers of names by the hash of their bytes, with open addressing; -1 in free places, at least half of them.
  private let table: [Int]

  /// - Throws: for a name that is not UTF-8, or is there twice.
  init(_ bytes: [UInt8]) throws(Fault) {
    let ends = bytes.indices.filter { bytes[$0] == 0 }
    (self.bytes, self.ends) = (bytes, ends)
    var size = 1
    while size < 2 * ends.count { size *= 2 }
    var table = [Int](repeating: -1, count: size)
    for number in ends.indices {
      let range = Self.place(number, ends)
      guard bytes[range].allSatisfy({ $0 < 0x80 }) || String(validating: bytes[range], as: UTF8.self) != nil else {
        throw .notUTF8(number)
      }
      let (slot, other) = Self.find(bytes[range], bytes, ends, table)
      guard other == nil else { throw .twice(String(decoding: bytes[range], as: UTF8.self)) }
      table[slot] = number
    }
    self.table = table
  }

  var count: Int { ends.count }

  /// Where a name lies among the bytes.
  private static func place(_ number: Int, _ ends: [Int]) -> Range<Int> {
    (number > 0 ? ends[number - 1] + 1 : 0)..<ends[number]
  }

  subscript(number: Int) -> String {
    String(decoding: bytes[Self.place(number, ends)], as: UTF8.self)
  }

  /// Which name these bytes are; nil for none.
  func number(of name: String) -> Int? {
    table.isEmpty ? nil : Self.find(Array(name.utf8)[...], bytes, ends, table).number
  }

  /// The place of a name in the table, or the free one where it would be.
  private static func find(
    _ name: ArraySlice<UInt8>, _ bytes: [UInt8], _ ends: [Int], _ table: [Int]
  ) -> (slot: Int, number: Int?) {
    // Seeded anew in every process: no file can make many names fall on one place.
    var hasher = Hasher()
    name.withUnsafeBytes { hasher.combine(bytes: $0) }
    var slot = hasher.finalize() & (table.count - 1)
    while table[slot] >= 0 {
      if bytes[place(table[slot], ends)] == name { return (slot, table[slot]) }
      slot = (slot + 1) & (table.count - 1)
    }
    return (slot, nil)
  }
}
