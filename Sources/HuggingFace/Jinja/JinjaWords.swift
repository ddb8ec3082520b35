// What a template reads, found in its syntax tree: names, attributes and the texts that it compares with.
import Files

/// The words of a template.
struct JinjaWords: Sendable {
  /// Names whose value is read, set by the template itself or not.
  private(set) var names: Set<ExactString> = []
  /// Attributes, and texts in any place, such as the roles that are told apart.
  private(set) var attributes: Set<ExactString> = []
  private(set) var texts: Set<ExactString> = []

  init(_ nodes: [JinjaNode]) { for node in nodes { add(node.statement) } }

  private mutating func add(_ nodes: [JinjaNode]) { for node in nodes { add(node.statement) } }

  private mutating func add(_ statement: JinjaStatement) {
    switch statement {
    case .text, .leaveLoop, .nextIteration: break
    case .output(let value), .set(_, let value), .setAttribute(_, _, let value): add(value)
    case .branches(let branches):
      for branch in branches {
        if let condition = branch.condition { add(condition) }
        add(branch.body)
      }
    case .loop(let loop):
      add(loop.items)
      if let filter = loop.filter { add(filter) }
      add(loop.body)
      add(loop.otherwise)
    case .macro(let macro):
      for parameter in macro.parameters { if let fallback = parameter.fallback { add(fallback) } }
      add(macro.body)
    }
  }

  private mutating func add(_ expressions: [JinjaExpression?]) {
    for expression in expressions { if let expression { add(expression) } }
  }

  private mutating func add(_ arguments: JinjaArguments) {
    add(arguments.positional)
    add(arguments.named.map(\.value))
  }

  private mutating func add(_ expression: JinjaExpression) {
    switch expression {
    case .integer, .bool, .none: break
    case .string(let text): texts.insert(ExactString(text))
    case .name(let name): names.insert(ExactString(name))
    case .list(let items): add(items)
    case .dictionary(let pairs): for pair in pairs { add([pair.key, pair.value]) }
    case .attribute(let object, let name):
      attributes.insert(ExactString(name))
      add(object)
    case .index(let object, let index):
      if case .string(let name) = index { attributes.insert(ExactString(name)) }
      add([object, index])
    case .slice(let object, let start, let end, let step): add([object, start, end, step])
    case .call(let callee, let arguments):
      // `message.get("reasoning_content")` reads it too: its text is among `texts`.
      add(callee)
      add(arguments)
    case .filter(let operand, _, let arguments):
      add(operand)
      add(arguments)
    case .test(let operand, _), .not(let operand), .negative(let operand): add(operand)
    case .and(let left, let right), .or(let left, let right), .binary(let left, _, let right): add([left, right])
    case .comparison(let first, let rest): add([first] + rest.map(\.operand))
    case .conditional(let value, let condition, let otherwise): add([value, condition, otherwise])
    }
  }
}
