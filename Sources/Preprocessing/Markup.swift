// Tags in texts that an example's objects fill: found over bytes, in one pass.
import Files

/// A piece of a text: words, or the place of an object.
package enum Markup: Equatable {
  case text(String)
  case box, point, reference

  /// The tags, and what they are the place of.
  private static let tags: [(name: String, kind: Markup)] = [
    ("bbox", .box), ("point", .point), ("ref", .reference), ("ref-object", .reference),
  ]

  /// A tag in a text.
  private struct Tag {
    /// Its bytes, with the backslash where it is escaped.
    let range: Range<Int>
    let index: Int
    let isClosing, isEscaped: Bool
  }

  /// The pieces of a text. `<bbox>`, `<point>`, `<ref>` and `<ref-object>` are places, except for a tag that is closed
  /// behind it, as in `<point>20 30</point>`, which is text; a tag behind a backslash is the tag itself as text.
  package static func pieces(of text: String) -> [Markup] {
    guard text.holds(UInt8(ascii: "<")) else { return text.isEmpty ? [] : [.text(text)] }
    let bytes = Array(text.utf8)
    let found = tags(in: bytes)
    // Of each kind, whether the next tag behind the one in question closes it.
    var closes = [Bool](repeating: false, count: found.count)
    var isNextClosing = [Bool](repeating: false, count: tags.count)
    for (place, tag) in found.enumerated().reversed() where !tag.isEscaped {
      closes[place] = isNextClosing[tag.index]
      isNextClosing[tag.index] = tag.isClosing
    }
    var pieces: [Markup] = []
    var words: [UInt8] = []
    var cursor = 0
    func flush() {
      if !words.isEmpty { pieces.append(.text(String(decoding: words, as: UTF8.self))) }
      words = []
    }
    for (place, tag) in found.enumerated() {
      words += bytes[cursor..<tag.range.lowerBound]
      cursor = tag.range.upperBound
      if tag.isEscaped {
        words += bytes[tag.range].dropFirst()
      } else if tag.isClosing || closes[place] {
        words += bytes[tag.range]
      } else {
        flush()
        pieces.append(tags[tag.index].kind)
      }
    }
    words += bytes[cursor...]
    flush()
    return pieces
  }

  private static func tags(in bytes: [UInt8]) -> [Tag] {
    var found: [Tag] = []
    var place = 0
    while place < bytes.count {
      guard bytes[place] == UInt8(ascii: "<") else {
        place += 1
        continue
      }
      var start = place + 1
      let isClosing = start < bytes.count && bytes[start] == UInt8(ascii: "/")
      if isClosing { start += 1 }
      let end = bytes[start...].prefix(12).firstIndex(of: UInt8(ascii: ">"))
      if let end, let index = tags.firstIndex(where: { bytes[start..<end].elementsEqual($0.name.utf8) }) {
        let isEscaped = place > 0 && bytes[place - 1] == UInt8(ascii: "\\")
        found.append(
          Tag(
            range: (isEscaped ? place - 1 : place)..<end + 1, index: index, isClosing: isClosing, isEscaped: isEscaped))
        place = end + 1
      } else {
        place += 1
      }
    }
    return found
  }

  /// How many places of boxes a text has.
  package static func boxes(in text: String) -> Int { pieces(of: text).count { $0 == .box || $0 == .point } }
}
