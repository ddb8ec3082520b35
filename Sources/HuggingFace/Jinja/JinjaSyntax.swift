// The syntax tree of the subset of Jinja that chat templates use.

indirect enum JinjaExpression: Sendable {
  case string(String)
  case integer(Int)
  case bool(Bool)
  case none
  case list([JinjaExpression])
  case dictionary([(key: JinjaExpression, value: JinjaExpression)])
  case name(String)
  case attribute(JinjaExpression, String)
  case index(JinjaExpression, JinjaExpression)
  case slice(JinjaExpression, start: JinjaExpression?, end: JinjaExpression?, step: JinjaExpression?)
  case call(JinjaExpression, JinjaArguments)
  case filter(JinjaExpression, String, JinjaArguments)
  case test(JinjaExpression, String)
  case not(JinjaExpression)
  case negative(JinjaExpression)
  case and(JinjaExpression, JinjaExpression)
  case or(JinjaExpression, JinjaExpression)
  case binary(JinjaExpression, JinjaOperator, JinjaExpression)
  /// `a < b < c` holds if each pair does.
  case comparison(JinjaExpression, [JinjaComparison])
  case conditional(JinjaExpression, condition: JinjaExpression, otherwise: JinjaExpression?)
}

struct JinjaComparison: Sendable {
  let symbol: JinjaOperator
  let operand: JinjaExpression
}

struct JinjaArguments: Sendable {
  var positional: [JinjaExpression] = []
  var named: [(name: String, value: JinjaExpression)] = []
}

enum JinjaOperator: String, Sendable {
  case add = "+"
  case subtract = "-"
  case multiply = "*"
  case floorDivide = "//"
  case remainder = "%"
  case concatenate = "~"
  case equal = "=="
  case unequal = "!="
  case less = "<"
  case lessOrEqual = "<="
  case greater = ">"
  case greaterOrEqual = ">="
  case isIn = "in"
  case isNotIn = "not in"
}

/// A statement with the line on which it begins.
struct JinjaNode: Sendable {
  let line: Int
  let statement: JinjaStatement
}

enum JinjaStatement: Sendable {
  case text(String)
  case output(JinjaExpression)
  case set(name: String, value: JinjaExpression)
  case setAttribute(name: String, attribute: String, value: JinjaExpression)
  /// The first branch whose condition holds; a nil condition is `else`.
  case branches([(condition: JinjaExpression?, body: [JinjaNode])])
  case loop(JinjaLoop)
  case macro(JinjaMacro)
  case leaveLoop
  case nextIteration
}

struct JinjaLoop: Sendable {
  let names: [String]
  let items: JinjaExpression
  let filter: JinjaExpression?
  let body: [JinjaNode]
  let otherwise: [JinjaNode]
}

struct JinjaMacro: Sendable {
  let name: String
  let parameters: [(name: String, fallback: JinjaExpression?)]
  let body: [JinjaNode]
}
