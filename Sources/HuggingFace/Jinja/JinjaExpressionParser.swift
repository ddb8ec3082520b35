// Parses the tokens of one tag into an expression, with Jinja's precedences.

struct JinjaExpressionParser {
  private static let maximumNesting = 32
  private static let keywords: Set<String> = ["and", "or", "not", "in", "is", "if", "else", "for", "recursive"]
  private static let comparisons: Set<String> = ["==", "!=", "<", "<=", ">", ">="]

  private let tokens: [JinjaToken]
  private let file: String
  private let line: Int
  private var position = 0
  private var nesting = 0

  init(_ tokens: [JinjaToken], file: String, line: Int) {
    self.tokens = tokens
    self.file = file
    self.line = line
  }

  func failure(_ problem: String) -> HuggingFaceError { .template(file: file, line: line, problem: problem) }

  private var next: JinjaToken? { position < tokens.count ? tokens[position] : nil }

  private var shown: String {
    switch next {
    case .name(let text), .symbol(let text): text
    case .string(let text): "'\(text.prefix(40))'"
    case .integer(let value): "\(value)"
    case nil: "the end of the tag"
    }
  }

  mutating func take(_ symbol: String) -> Bool { take(.symbol(symbol)) }

  mutating func take(word: String) -> Bool { take(.name(word)) }

  private mutating func take(_ token: JinjaToken) -> Bool {
    guard next == token else { return false }
    position += 1
    return true
  }

  private mutating func expect(_ symbol: String) throws {
    guard take(symbol) else { throw failure("expected \(symbol), found \(shown)") }
  }

  mutating func name() throws -> String {
    guard case .name(let name) = next else { throw failure("expected a name, found \(shown)") }
    position += 1
    return name
  }

  func end() throws {
    guard next == nil else { throw failure("unexpected \(shown)") }
  }

  /// An expression that takes up the rest of the tag.
  mutating func whole() throws -> JinjaExpression {
    let result = try expression()
    try end()
    return result
  }

  mutating func expression() throws -> JinjaExpression {
    nesting += 1
    defer { nesting -= 1 }
    guard nesting <= Self.maximumNesting else { throw failure("nested deeper than \(Self.maximumNesting)") }
    var result = try withoutConditional()
    while take(word: "if") {
      let condition = try withoutConditional()
      let otherwise = take(word: "else") ? try expression() : nil
      result = .conditional(result, condition: condition, otherwise: otherwise)
    }
    return result
  }

  /// An expression without `a if b else c`, which after `for x in` means something else.
  mutating func withoutConditional() throws -> JinjaExpression {
    var left = try conjunction()
    while take(word: "or") { left = .or(left, try conjunction()) }
    return left
  }

  private mutating func conjunction() throws -> JinjaExpression {
    var left = try negation()
    while take(word: "and") { left = .and(left, try negation()) }
    return left
  }

  private mutating func negation() throws -> JinjaExpression {
    var count = 0
    while take(word: "not") { count += 1 }
    let operand = try comparison()
    return count == 0 ? operand : count % 2 == 1 ? .not(operand) : .not(.not(operand))
  }

  private mutating func comparison() throws -> JinjaExpression {
    let first = try sum()
    var rest: [JinjaComparison] = []
    while let found = comparisonOperator() { rest.append(JinjaComparison(symbol: found, operand: try sum())) }
    return rest.isEmpty ? first : .comparison(first, rest)
  }

  private mutating func comparisonOperator() -> JinjaOperator? {
    if case .symbol(let symbol) = next, Self.comparisons.contains(symbol) {
      position += 1
      return JinjaOperator(rawValue: symbol)
    }
    if take(word: "in") { return .isIn }
    if next == .name("not"), position + 1 < tokens.count, tokens[position + 1] == .name("in") {
      position += 2
      return .isNotIn
    }
    return nil
  }

  private mutating func sum() throws -> JinjaExpression {
    var left = try concatenation()
    while let found = take(anyOf: [.add, .subtract]) { left = .binary(left, found, try concatenation()) }
    return left
  }

  private mutating func concatenation() throws -> JinjaExpression {
    var left = try product()
    while let found = take(anyOf: [.concatenate]) { left = .binary(left, found, try product()) }
    return left
  }

  private mutating func product() throws -> JinjaExpression {
    var left = try unary()
    while let found = take(anyOf: [.multiply, .floorDivide, .remainder]) {
      left = .binary(left, found, try unary())
    }
    return left
  }

  private mutating func take(anyOf operators: [JinjaOperator]) -> JinjaOperator? {
    operators.first { take($0.rawValue) }
  }

  private mutating func unary() throws -> JinjaExpression {
    guard take("-") else { return try filters(postfix(primary())) }
    // As in Jinja a minus binds tighter than a filter.
    return try filters(.negative(postfix(primary())))
  }

  private mutating func primary() throws -> JinjaExpression {
    defer { position += 1 }
    switch next {
    case .string(let text): return .string(text)
    case .integer(let value): return .integer(value)
    case .name("true"), .name("True"): return .bool(true)
    case .name("false"), .name("False"): return .bool(false)
    case .name("none"), .name("None"): return .none
    case .name(let name) where !Self.keywords.contains(name): return .name(name)
    case .symbol("("):
      position += 1
      let inner = try expression()
      guard next == .symbol(")") else { throw failure("expected ), found \(shown); tuples are not supported") }
      return inner
    case .symbol("["):
      position += 1
      return .list(try elements(until: "]"))
    case .symbol("{"):
      position += 1
      return .dictionary(try pairs())
    default: throw failure("expected a value, found \(shown)")
    }
  }

  /// Leaves the closing bracket to the caller.
  private mutating func elements(until close: String) throws -> [JinjaExpression] {
    var result: [JinjaExpression] = []
    while next != .symbol(close) {
      if !result.isEmpty { try expect(",") }
      if next == .symbol(close) { break }
      result.append(try expression())
    }
    return result
  }

  private mutating func pairs() throws -> [(key: JinjaExpression, value: JinjaExpression)] {
    var result: [(key: JinjaExpression, value: JinjaExpression)] = []
    while next != .symbol("}") {
      if !result.isEmpty { try expect(",") }
      if next == .symbol("}") { break }
      let key = try expression()
      try expect(":")
      result.append((key, try expression()))
    }
    return result
  }

  private mutating func postfix(_ operand: JinjaExpression) throws -> JinjaExpression {
    var result = operand
    while true {
      if take(".") {
        result = .attribute(result, try name())
      } else if take("[") {
        result = try subscripted(result)
        try expect("]")
      } else if take("(") {
        result = .call(result, try arguments())
      } else {
        return result
      }
    }
  }

  private mutating func subscripted(_ operand: JinjaExpression) throws -> JinjaExpression {
    var bounds: [JinjaExpression?] = [nil]
    while next != .symbol("]") {
      if take(":") {
        bounds.append(nil)
      } else {
        guard bounds[bounds.count - 1] == nil else { throw failure("expected ], found \(shown)") }
        bounds[bounds.count - 1] = try expression()
      }
    }
    guard bounds.count <= 3 else { throw failure("a slice of more than three numbers") }
    if bounds.count > 1 {
      return .slice(operand, start: bounds[0], end: bounds[1], step: bounds.count > 2 ? bounds[2] : nil)
    }
    guard let index = bounds[0] else { throw failure("expected an index, found ]") }
    return .index(operand, index)
  }

  private mutating func arguments() throws -> JinjaArguments {
    var result = JinjaArguments()
    var isFirst = true
    while !take(")") {
      if !isFirst { try expect(",") }
      isFirst = false
      if take(")") { break }
      if case .name(let name) = next, position + 1 < tokens.count, tokens[position + 1] == .symbol("=") {
        position += 2
        result.named.append((name, try expression()))
      } else {
        guard result.named.isEmpty else { throw failure("a positional argument after a named one") }
        result.positional.append(try expression())
      }
    }
    return result
  }

  /// `| filter(...)` and `is test`, which bind tighter than every operator but the unary minus.
  private mutating func filters(_ operand: JinjaExpression) throws -> JinjaExpression {
    var result = operand
    while true {
      if take("|") {
        let filter = try name()
        result = try postfix(.filter(result, filter, take("(") ? arguments() : JinjaArguments()))
      } else if take(word: "is") {
        let isNegated = take(word: "not")
        let test = try name()
        result = isNegated ? .not(.test(result, test)) : .test(result, test)
      } else {
        return result
      }
    }
  }
}
