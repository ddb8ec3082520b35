// Parses tags into statements; what is not of the supported subset is refused by name.

struct JinjaParser {
  private static let maximumNesting = 32

  let file: String
  private let tags: [JinjaTag]
  private var index = 0
  /// `for`, `if` and `macro` around the current tag.
  private var enclosing: [String] = []

  /// - Throws: `HuggingFaceError.template` with the line of the first fault; `file` is for the message.
  static func parse(_ template: String, file: String) throws -> [JinjaNode] {
    var parser = JinjaParser(file: file, tags: try JinjaLexer.tags(of: template, file: file))
    let (nodes, _) = try parser.body(until: [])
    return nodes
  }

  private init(file: String, tags: [JinjaTag]) {
    self.file = file
    self.tags = tags
  }

  /// Nodes up to a block that begins with one of `ends`, and that block's tokens after its name.
  private mutating func body(until ends: Set<String>) throws -> ([JinjaNode], (name: String, JinjaExpressionParser)?) {
    var nodes: [JinjaNode] = []
    while index < tags.count {
      let tag = tags[index]
      index += 1
      switch tag.content {
      case .text(let text): nodes.append(JinjaNode(line: tag.line, statement: .text(text)))
      case .output(let tokens):
        var parser = JinjaExpressionParser(tokens, file: file, line: tag.line)
        nodes.append(JinjaNode(line: tag.line, statement: .output(try parser.whole())))
      case .block(let tokens):
        var parser = JinjaExpressionParser(tokens, file: file, line: tag.line)
        let name = try parser.name()
        if ends.contains(name) { return (nodes, (name, parser)) }
        if name == "generation" || name == "endgeneration" {
          // transformers' marker around assistant text; it prints nothing itself.
          try parser.end()
          continue
        }
        let statement = try statement(name, &parser)
        nodes.append(JinjaNode(line: tag.line, statement: statement))
      }
    }
    guard ends.isEmpty else {
      let missing = ends.sorted().joined(separator: " or ")
      throw HuggingFaceError.template(file: file, line: tags.last?.line ?? 1, problem: "ends before \(missing)")
    }
    return (nodes, nil)
  }

  private mutating func nested(
    _ kind: String, until ends: Set<String>, _ parser: JinjaExpressionParser
  ) throws -> ([JinjaNode], (name: String, parser: JinjaExpressionParser)) {
    guard enclosing.count < Self.maximumNesting else {
      throw parser.failure("blocks nested deeper than \(Self.maximumNesting)")
    }
    enclosing.append(kind)
    defer { enclosing.removeLast() }
    let (nodes, end) = try body(until: ends)
    guard let end else { throw parser.failure("\(kind) is not closed") }
    return (nodes, (end.name, end.1))
  }

  private mutating func statement(_ name: String, _ parser: inout JinjaExpressionParser) throws -> JinjaStatement {
    switch name {
    case "set": return try set(&parser)
    case "if": return try branches(&parser)
    case "for": return .loop(try loop(&parser))
    case "macro": return .macro(try macro(&parser))
    case "break", "continue":
      try parser.end()
      guard let inner = enclosing.last(where: { $0 != "if" }), inner == "for" else {
        throw parser.failure("\(name) outside of a loop")
      }
      return name == "break" ? .leaveLoop : .nextIteration
    default: throw parser.failure("tag \(name) is not supported here")
    }
  }

  private func set(_ parser: inout JinjaExpressionParser) throws -> JinjaStatement {
    let name = try parser.name()
    let attribute = parser.take(".") ? try parser.name() : nil
    guard parser.take("=") else { throw parser.failure("set without a single name and = is not supported") }
    let value = try parser.whole()
    return attribute.map { .setAttribute(name: name, attribute: $0, value: value) } ?? .set(name: name, value: value)
  }

  private mutating func branches(_ parser: inout JinjaExpressionParser) throws -> JinjaStatement {
    var result: [(condition: JinjaExpression?, body: [JinjaNode])] = []
    var condition: JinjaExpression? = try parser.whole()
    while true {
      let ends: Set<String> = condition == nil ? ["endif"] : ["elif", "else", "endif"]
      var (nodes, end) = try nested("if", until: ends, parser)
      result.append((condition, nodes))
      condition = end.name == "elif" ? try end.parser.whole() : nil
      if end.name != "elif" { try end.parser.end() }
      if end.name == "endif" { return .branches(result) }
    }
  }

  private mutating func loop(_ parser: inout JinjaExpressionParser) throws -> JinjaLoop {
    var names = [try parser.name()]
    while parser.take(",") { names.append(try parser.name()) }
    guard parser.take(word: "in") else { throw parser.failure("for without in") }
    let items = try parser.withoutConditional()
    let filter = parser.take(word: "if") ? try parser.expression() : nil
    if parser.take(word: "recursive") { throw parser.failure("for ... recursive is not supported") }
    try parser.end()
    var (body, end) = try nested("for", until: ["else", "endfor"], parser)
    try end.parser.end()
    var otherwise: [JinjaNode] = []
    if end.name == "else" {
      // Of the enclosing loop, not of this one, would a break here be.
      (otherwise, end) = try nested("if", until: ["endfor"], parser)
      try end.parser.end()
    }
    return JinjaLoop(names: names, items: items, filter: filter, body: body, otherwise: otherwise)
  }

  private mutating func macro(_ parser: inout JinjaExpressionParser) throws -> JinjaMacro {
    guard enclosing.isEmpty else { throw parser.failure("a macro inside of another block is not supported") }
    let name = try parser.name()
    guard parser.take("(") else { throw parser.failure("macro \(name) without parameters") }
    var parameters: [(name: String, fallback: JinjaExpression?)] = []
    while !parser.take(")") {
      if !parameters.isEmpty, !parser.take(",") { throw parser.failure("expected , in the parameters of \(name)") }
      let parameter = try parser.name()
      parameters.append((parameter, parser.take("=") ? try parser.expression() : nil))
    }
    try parser.end()
    var (body, end) = try nested("macro", until: ["endmacro"], parser)
    _ = try? end.parser.name()
    try end.parser.end()
    return JinjaMacro(name: name, parameters: parameters, body: body)
  }
}
