// Lines as they may reach a terminal: names and texts of files in them may hold what a terminal obeys.

/// A text with every character that a terminal would obey shown in JSON's spelling, as `\u001b`, but for line breaks:
/// C0, DEL, C1, marks and isolates of direction, the byte order mark. A JSON document stays the same document.
package func printable(_ text: String) -> String {
  guard !text.unicodeScalars.allSatisfy(isHarmless) else { return text }
  var shown = String.UnicodeScalarView()
  for scalar in text.unicodeScalars {
    switch scalar {
    case _ where isHarmless(scalar): shown.append(scalar)
    case "\t": shown.append(contentsOf: "\\t".unicodeScalars)
    case "\r": shown.append(contentsOf: "\\r".unicodeScalars)
    default: shown.append(contentsOf: unicodeEscape(scalar).unicodeScalars)
    }
  }
  return String(shown)
}

/// All of these are of the basic plane: four digits name them.
private func isHarmless(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.value {
  case 0x0A: true
  case 0..<0x20, 0x7F..<0xA0, 0x202A...0x202E, 0x2066...0x2069, 0xFEFF: false
  default: true
  }
}

/// A text that grows token by token, as it may reach a terminal.
package struct GrowingText: Sendable {
  /// The beginning of a character whose end has not come.
  private var pending: [UInt8] = []

  package init() {}

  /// What can be shown once the next token's bytes have come, which may end in the middle of a character.
  package mutating func add(_ bytes: [UInt8]) -> String {
    pending += bytes
    let lead = pending.suffix(4).lastIndex { $0 & 0xC0 != 0x80 } ?? pending.endIndex
    let length = pending[lead...].first.map { $0 < 0xC0 ? 1 : $0 < 0xE0 ? 2 : $0 < 0xF0 ? 3 : 4 } ?? 0
    let end = lead + length > pending.count ? lead : pending.count
    defer { pending.removeFirst(end) }
    return printable(String(decoding: pending[..<end], as: UTF8.self))
  }

  /// What stands for a character that never ended.
  package mutating func end() -> String {
    defer { pending = [] }
    return pending.isEmpty ? "" : "\u{FFFD}"
  }
}
