// Python's string methods on Swift strings, exact in scalars where Swift compares whole characters.

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
    return String(scalars)
  }

  /// Python's `str.isspace`.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || ("\u{1C}"..."\u{1F}").contains(scalar)
  }

  /// Where `part`, which is not empty, first lies in `text` from `start` on.
  static func firstRange(of part: String, in text: String, from start: String.Index? = nil) -> Range<String.Index>? {
    let view = text.utf8
    var index = start ?? view.startIndex
    // UTF-8 synchronises itself: bytes match only where scalars do.
    while let found = view[index...].firstIndex(of: part.utf8[part.utf8.startIndex]) {
      if view[found...].starts(with: part.utf8) { return found..<view.index(found, offsetBy: part.utf8.count) }
      index = view.index(after: found)
    }
    return nil
  }

  /// The parts of `text` between occurrences of `separator`, which is not empty.
  static func split(_ text: String, by separator: String) -> [String] {
    var parts: [String] = []
    var start = text.startIndex
    while let range = firstRange(of: separator, in: text, from: start) {
      parts.append(String(text[start..<range.lowerBound]))
      start = range.upperBound
    }
    return parts + [String(text[start...])]
  }

  /// A JSON string in Python's spelling.
  static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\0"..."\u{1F}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
