// Cuts a template into text and tags, with the white-space rules that transformers sets: trim_blocks and lstrip_blocks.

enum JinjaToken: Equatable, Sendable {
  case name(String)
  case string(String)
  case integer(Int)
  case symbol(String)
}

/// One piece of a template: text, `{{ ... }}` or `{% ... %}`.
struct JinjaTag: Sendable {
  enum Content: Sendable {
    case text(String)
    case output([JinjaToken])
    case block([JinjaToken])
  }

  let line: Int
  let content: Content
}

struct JinjaLexer {
  /// Tokens in one tag; bounds the depth of the syntax tree.
  private static let maximumTokens = 512

  private let file: String
  private let source: [Unicode.Scalar]
  private var position = 0
  private var line = 1
  private var tags: [JinjaTag] = []

  /// The tags of `template`; `file` is for messages.
  ///
  /// - Throws: `HuggingFaceError.template`.
  static func tags(of template: String, file: String) throws -> [JinjaTag] {
    var lexer = JinjaLexer(template, file: file)
    try lexer.scan()
    return lexer.tags
  }

  /// Line breaks become \n and one at the very end is dropped, as Jinja does.
  private init(_ template: String, file: String) {
    var source: [Unicode.Scalar] = []
    for scalar in template.unicodeScalars {
      if scalar == "\n", source.last == "\r" { source.removeLast() }
      source.append(scalar)
      if scalar != "\r", source.count > 1, source[source.count - 2] == "\r" { source[source.count - 2] = "\n" }
    }
    if source.last == "\r" { source[source.count - 1] = "\n" }
    if source.last == "\n" { source.removeLast() }
    self.file = file
    self.source = source
  }

  private func failure(_ problem: String) -> HuggingFaceError { .template(file: file, line: line, problem: problem) }

  private func isAt(_ text: String, _ index: Int) -> Bool {
    source[min(index, source.count)...].starts(with: text.unicodeScalars)
  }

  private mutating func scan() throws {
    var lineStarts = true
    while position < source.count {
      let start = position
      let startLine = line
      while position < source.count, !isAt("{{", position), !isAt("{%", position), !isAt("{#", position) { advance() }
      var text = source[start..<position]
      let sign = position + 2 < source.count ? source[position + 2] : " "
      if position < source.count, sign == "-" {
        while let last = text.last, JinjaText.isSpace(last) { text.removeLast() }
      } else if position < source.count, sign != "+", !isAt("{{", position) {
        // lstrip_blocks: white space between the line's start and a block goes.
        let tail = text.suffix(while: { $0 != "\n" })
        let isLine = tail.startIndex > text.startIndex || lineStarts
        if isLine, tail.allSatisfy(JinjaText.isSpace) { text.removeLast(tail.count) }
      }
      if !text.isEmpty {
        tags.append(JinjaTag(line: startLine, content: .text(Self.string(text))))
      }
      guard position < source.count else { return }
      lineStarts = try scanTag(hasSign: sign == "-" || sign == "+")
    }
  }

  /// Reads one tag or comment; true if what it swallowed ends with a line break.
  private mutating func scanTag(hasSign: Bool) throws -> Bool {
    let startLine = line
    let kind = source[position + 1]
    position += hasSign ? 3 : 2
    if kind == "#" {
      while position < source.count, !isAt("#}", position) { advance() }
      guard position < source.count else { throw failure("a comment is not closed") }
      let strips = source[position - 1] == "-"
      position += 2
      return skip(strips: strips, trims: source[position - 3] != "+")
    }
    let tokens = try scanTokens(until: kind == "{" ? "}}" : "%}")
    tags.append(JinjaTag(line: startLine, content: kind == "{" ? .output(tokens.list) : .block(tokens.list)))
    return skip(strips: tokens.sign == "-", trims: kind == "%" && tokens.sign != "+")
  }

  /// After a tag: `-` strips all white space, trim_blocks one line break after a block.
  private mutating func skip(strips: Bool, trims: Bool) -> Bool {
    let start = position
    if strips {
      while position < source.count, JinjaText.isSpace(source[position]) { advance() }
    } else if trims, position < source.count, source[position] == "\n" {
      advance()
    }
    return position > start && source[position - 1] == "\n"
  }

  private mutating func advance() {
    if source[position] == "\n" { line += 1 }
    position += 1
  }

  private mutating func scanTokens(until close: String) throws -> (list: [JinjaToken], sign: Unicode.Scalar?) {
    var tokens: [JinjaToken] = []
    var depth = 0
    while true {
      while position < source.count, JinjaText.isSpace(source[position]) { advance() }
      guard position < source.count else { throw failure("a tag is not closed by \(close)") }
      if depth == 0 {
        if isAt(close, position) {
          position += 2
          return (tokens, nil)
        }
        for sign: Unicode.Scalar in ["-", "+"] where source[position] == sign && isAt(close, position + 1) {
          position += 3
          return (tokens, sign)
        }
      }
      guard tokens.count < Self.maximumTokens else { throw failure("a tag of more than \(Self.maximumTokens) tokens") }
      let token = try scanToken()
      if case .symbol(let symbol) = token {
        if ["(", "[", "{"].contains(symbol) { depth += 1 }
        if [")", "]", "}"].contains(symbol) { depth -= 1 }
        guard depth >= 0 else { throw failure("\(symbol) closes nothing") }
      }
      tokens.append(token)
    }
  }

  private mutating func scanToken() throws -> JinjaToken {
    let first = source[position]
    if first == "'" || first == "\"" { return .string(try scanString()) }
    let start = position
    func isName(_ scalar: Unicode.Scalar) -> Bool {
      scalar.isASCII && (scalar == "_" || scalar.properties.isAlphabetic || ("0"..."9").contains(scalar))
    }
    while position < source.count, isName(source[position]) { position += 1 }
    let word = Self.string(source[start..<position])
    if ("0"..."9").contains(first) {
      let isFraction = isAt(".", position) && position + 1 < source.count && ("0"..."9").contains(source[position + 1])
      guard !isFraction, let value = Int(word) else { throw failure("number \(word) is not a supported integer") }
      return .integer(value)
    }
    if !word.isEmpty { return .name(word) }
    for length in [2, 1] where position + length <= source.count {
      let symbol = Self.string(source[position..<position + length])
      guard Self.symbols.contains(symbol) else { continue }
      position += length
      return .symbol(symbol)
    }
    throw failure("unexpected \(first)")
  }

  private static let symbols: Set<String> = [
    "==", "!=", "<=", ">=", "//", "+", "-", "*", "%", "~", "<", ">", "=", "(", ")", "[", "]", "{", "}", ",", ".", ":",
    "|",
  ]

  private mutating func scanString() throws -> String {
    let quote = source[position]
    var content = String.UnicodeScalarView()
    advance()
    while position < source.count {
      let scalar = source[position]
      advance()
      if scalar == quote { return String(content) }
      guard scalar == "\\" else {
        content.append(scalar)
        continue
      }
      guard position < source.count else { break }
      let escaped = source[position]
      advance()
      switch escaped {
      case "\\", "'", "\"": content.append(escaped)
      case "n": content.append("\n")
      case "r": content.append("\r")
      case "t": content.append("\t")
      default: throw failure("escape \\\(escaped) is not supported")
      }
    }
    throw failure("a string is not closed")
  }

  private static func string(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var view = String.UnicodeScalarView()
    view.append(contentsOf: scalars)
    return String(view)
  }
}

extension ArraySlice where Element == Unicode.Scalar {
  /// The longest suffix whose elements all satisfy `predicate`.
  fileprivate func suffix(while predicate: (Element) -> Bool) -> ArraySlice<Element> {
    var start = endIndex
    while start > startIndex, predicate(self[start - 1]) { start -= 1 }
    return self[start...]
  }
}
