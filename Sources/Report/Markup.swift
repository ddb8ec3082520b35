// Markup that escapes by type: what a source file spells out is markup, what is put into it is text.

/// A piece of HTML or SVG. A literal is taken as it stands; a string that is interpolated is escaped, so that no text
/// of a file can become markup; another piece goes in unchanged.
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
    /// Nothing where there is none.
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

/// A text as it may stand between tags and in quoted attributes. Control characters, which HTML does not allow, and
/// those that turn the direction of what follows become replacement characters.
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
    case "\u{0}"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}":
      result += "\u{FFFD}"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}
