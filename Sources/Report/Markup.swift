// Markup that escapes by type: literals of the source are markup, interpolated strings are text.

/// A piece of HTML or SVG. Literals are not escaped. Interpolated strings are escaped, so that no text of a file can
/// become markup. Interpolated pieces of markup are inserted unchanged.
///
///     let cell: Markup = "<td title=\"\(path)\">\(name)</td>"
///
/// Attributes are written in double quotes.
struct Markup: Sendable, Equatable, ExpressibleByStringInterpolation {
  private(set) var source: String

  init(stringLiteral source: String) { self.source = source }

  init(stringInterpolation: StringInterpolation) { source = stringInterpolation.source }

  struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var source = ""

    init(literalCapacity: Int, interpolationCount: Int) { source.reserveCapacity(2 * literalCapacity) }

    mutating func appendLiteral(_ literal: String) { source += literal }
    mutating func appendInterpolation(_ text: some StringProtocol) { source += escaped(text) }
    mutating func appendInterpolation(_ markup: Markup) { source += markup.source }
    mutating func appendInterpolation(_ pieces: [Markup]) { for piece in pieces { source += piece.source } }
    /// Inserts nothing for nil.
    mutating func appendInterpolation(_ markup: Markup?) { source += markup?.source ?? "" }
    mutating func appendInterpolation(_ number: Int) { source += String(number) }
    /// A length or a coordinate, to a hundredth.
    /// - Precondition: finite; a page has no place for anything else.
    mutating func appendInterpolation(_ coordinate: Double) {
      precondition(coordinate.isFinite)
      let rounded = (coordinate * 100).rounded() / 100
      source += rounded == rounded.rounded() && abs(rounded) < 1e15 ? String(Int(rounded)) : "\(rounded)"
    }
  }

  static func += (left: inout Markup, right: Markup) { left.source += right.source }
}

extension [Markup] {
  func joined(separator: Markup = "") -> Markup {
    var result: Markup = ""
    for (index, piece) in enumerated() {
      if index > 0 { result += separator }
      result += piece
    }
    return result
  }
}

/// A name or a path in which a line may end after a separator, and nowhere in a word.
func breakable(_ text: some StringProtocol) -> Markup {
  var pieces: [Markup] = []
  var rest = text[...]
  while let end = rest.firstIndex(where: { "/_=".contains($0) }) {
    pieces.append("\(rest[...end])<wbr>")
    rest = rest[rest.index(after: end)...]
  }
  return (pieces + ["\(rest)"]).joined()
}

/// A text, escaped for use between tags and in quoted attributes. Control characters, which HTML does not allow, and
/// characters that change the direction of text become replacement characters, and so do those that XML does not allow.
private func escaped(_ text: some StringProtocol) -> String {
  var result = ""
  result.reserveCapacity(text.utf8.count)
  for scalar in text.unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    case "\n", "\t": result.unicodeScalars.append(scalar)
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}", "\u{FFFE}",
      "\u{FFFF}":
      result += "\u{FFFD}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
