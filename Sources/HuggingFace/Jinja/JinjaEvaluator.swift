// Runs a parsed template; steps, memory, depth and output are bounded, so that none can hang or exhaust the machine.

struct JinjaEvaluator {
  private enum Flow {
    case onward, leaveLoop, nextIteration
  }

  private static let maximumSteps = 1_000_000
  private static let maximumDepth = 160
  private static let maximumText = 64 << 20
  /// Of all that a template makes, whether or not it keeps it: with its operands one text of half of this fits.
  private static let maximumBytes = 128 << 20

  let file: String
  /// Line of the statement that runs.
  private var line = 1
  /// Innermost last; the first holds the caller's variables and what the template sets at top level.
  private var scopes: [[String: JinjaValue]]
  private var output = ""
  private var outputBytes = 0
  private let budget = Budget()
  private var depth = 0

  /// Counts work and memory over all copies of the evaluator.
  private final class Budget {
    var steps = 0
    var bytes = 0
  }

  /// The text that `nodes` render with `variables`.
  ///
  /// - Throws: `HuggingFaceError.template`, also where the template calls `raise_exception`.
  static func render(_ nodes: [JinjaNode], _ variables: [String: JinjaValue], file: String) throws -> String {
    var evaluator = JinjaEvaluator(file: file, scopes: [variables])
    _ = try evaluator.run(nodes)
    return evaluator.output
  }

  private init(file: String, scopes: [[String: JinjaValue]]) {
    self.file = file
    self.scopes = scopes
  }

  func failure(_ problem: String) -> HuggingFaceError { .template(file: file, line: line, problem: problem) }

  /// Accounts for work that is not one statement or expression, such as a search through a long text.
  func charge(_ steps: Int) throws {
    budget.steps += steps
    guard budget.steps <= Self.maximumSteps else { throw failure("needs more than \(Self.maximumSteps) steps") }
  }

  /// Accounts for a text before it is made.
  func charge(text bytes: Int) throws {
    // Where it is no small one, an allocation's header comes to it.
    let (sum, overflow) = budget.bytes.addingReportingOverflow(max(bytes, 0))
    guard !overflow, sum <= Self.maximumBytes - 32 else {
      throw failure("makes texts and lists of more than \(Self.maximumBytes >> 20) MiB in all")
    }
    budget.bytes = sum + (bytes > 15 ? 32 : 0)
  }

  /// Accounts for a list before it is made.
  func charge(elements: Int) throws { try charge(text: elements * MemoryLayout<JinjaValue>.stride) }

  private mutating func enter() throws {
    depth += 1
    try charge(1)
    guard depth <= Self.maximumDepth else { throw failure("calls nest deeper than \(Self.maximumDepth)") }
  }

  // MARK: Statements

  private mutating func run(_ nodes: [JinjaNode]) throws -> Flow {
    for node in nodes {
      line = node.line
      try enter()
      defer { depth -= 1 }
      switch node.statement {
      case .text(let text): try write(text)
      case .output(let expression): try write(text(of: evaluate(expression)))
      case .set(let name, let expression): scopes[scopes.count - 1][name] = try evaluate(expression)
      case .setAttribute(let name, let attribute, let expression):
        let value = try evaluate(expression)
        guard case .namespace(let namespace) = variable(name) else { throw failure("\(name) is not a namespace") }
        guard value.depth != nil else { throw failure("a namespace cannot hold \(value.kind)") }
        namespace.members[attribute] = value
      case .macro(let macro): scopes[scopes.count - 1][macro.name] = .macro(macro)
      case .leaveLoop: return .leaveLoop
      case .nextIteration: return .nextIteration
      case .branches(let branches):
        for branch in branches where try branch.condition.map({ try evaluate($0).isTrue }) ?? true {
          let flow = try run(branch.body)
          guard case .onward = flow else { return flow }
          break
        }
      case .loop(let loop):
        let flow = try run(loop)
        guard case .onward = flow else { return flow }
      }
    }
    return .onward
  }

  /// Runs a loop; what comes out of it is a break or continue in its `else`, which is the enclosing loop's.
  private mutating func run(_ loop: JinjaLoop) throws -> Flow {
    scopes.append([:])
    defer { scopes.removeLast() }
    var items = try items(of: evaluate(loop.items))
    if let filter = loop.filter {
      try charge(elements: items.count)
      items = try items.filter { item in
        try bind(loop.names, to: item)
        return try evaluate(filter).isTrue
      }
    }
    if items.isEmpty { return try run(loop.otherwise) }
    for (index, item) in items.enumerated() {
      try charge(1)
      scopes[scopes.count - 1] = ["loop": .loop(JinjaLoopState(index: index, items: items))]
      try bind(loop.names, to: item)
      if case .leaveLoop = try run(loop.body) { break }
    }
    return .onward
  }

  private mutating func bind(_ names: [String], to item: JinjaValue) throws {
    guard names.count > 1 else {
      scopes[scopes.count - 1][names[0]] = item
      return
    }
    guard case .list(let list) = item, list.items.count == names.count else {
      throw failure("cannot take \(item.kind) apart into \(names.joined(separator: ", "))")
    }
    for (name, value) in zip(names, list.items) { scopes[scopes.count - 1][name] = value }
  }

  private mutating func write(_ text: String) throws {
    outputBytes += text.utf8.count
    guard outputBytes <= Self.maximumText else { throw failure("renders more than \(Self.maximumText >> 20) MiB") }
    output += text
  }

  /// What is to be printed; lists and what is undefined are refused rather than printed as Python would.
  func text(of value: JinjaValue) throws -> String {
    switch value {
    case .none: "None"
    case .bool(let value): value ? "True" : "False"
    case .integer(let value): "\(value)"
    case .float(let text), .string(let text): text
    default: throw failure("prints \(value.kind)")
    }
  }

  func items(of value: JinjaValue) throws -> [JinjaValue] {
    switch value {
    case .list(let list): return list.items
    case .dictionary(let dictionary):
      try charge(elements: dictionary.members.count)
      return dictionary.members.map { .string($0.key) }
    case .string(let text):
      let count = JinjaText.length(text)
      try charge(count / 16)
      try charge(elements: count)
      var items: [JinjaValue] = []
      items.reserveCapacity(count)
      for scalar in text.unicodeScalars { items.append(.string(String(scalar))) }
      return items
    // Jinja loops over what is undefined zero times.
    case .undefined: return []
    default: throw failure("cannot loop over \(value.kind)")
    }
  }

  // MARK: Expressions

  private func variable(_ name: String) -> JinjaValue {
    for scope in scopes.reversed() {
      if let value = scope[name] { return value }
    }
    return .undefined(name)
  }

  mutating func evaluate(_ expression: JinjaExpression) throws -> JinjaValue {
    try enter()
    defer { depth -= 1 }
    let value = try value(of: expression)
    switch value {
    case .string(let text): try charge(text.utf8.count / 256)
    case .list(let list): try charge(list.items.count / 16)
    default: break
    }
    return value
  }

  private mutating func value(of expression: JinjaExpression) throws -> JinjaValue {
    switch expression {
    case .string(let text): return .string(text)
    case .integer(let value): return .integer(value)
    case .bool(let value): return .bool(value)
    case .none: return .none
    case .list(let items): return try list(items.map { try evaluate($0) })
    case .dictionary(let pairs):
      return try dictionary(pairs.map { (try string($0.key, "a key"), try evaluate($0.value)) })
    case .name(let name): return variable(name)
    case .attribute(let object, let name): return try attribute(name, of: evaluate(object))
    case .index(let object, let index): return try element(evaluate(index), of: evaluate(object))
    case .slice(let object, let start, let end, let step):
      return try slice(evaluate(object), start: bound(start), end: bound(end), step: bound(step) ?? 1)
    case .call(let callee, let arguments): return try call(callee, arguments)
    case .filter(let operand, let name, let arguments):
      return try filter(name, evaluate(operand), positional(arguments, for: "filter \(name)"))
    case .test(let operand, let name): return .bool(try test(name, evaluate(operand)))
    case .not(let operand): return .bool(try !evaluate(operand).isTrue)
    case .negative(let operand): return try binary(.integer(0), .subtract, evaluate(operand))
    case .and(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? try evaluate(right) : left
    case .or(let left, let right):
      let left = try evaluate(left)
      return left.isTrue ? left : try evaluate(right)
    case .binary(let left, let symbol, let right): return try binary(evaluate(left), symbol, evaluate(right))
    case .comparison(let first, let rest):
      var left = try evaluate(first)
      for comparison in rest {
        let right = try evaluate(comparison.operand)
        guard try compare(left, comparison.symbol, right) else { return .bool(false) }
        left = right
      }
      return .bool(true)
    case .conditional(let value, let condition, let otherwise):
      if try evaluate(condition).isTrue { return try evaluate(value) }
      return try otherwise.map { try evaluate($0) } ?? .undefined("the value of an if without else")
    }
  }

  private mutating func string(_ expression: JinjaExpression, _ what: String) throws -> String {
    let value = try evaluate(expression)
    guard case .string(let text) = value else { throw failure("\(what) is \(value.kind), expected a string") }
    return text
  }

  /// One of the numbers of a slice, nil where it is left out or none.
  private mutating func bound(_ expression: JinjaExpression?) throws -> Int? {
    guard let value = try expression.map({ try evaluate($0) }) else { return nil }
    if case .none = value { return nil }
    guard let number = value.number else { throw failure("a slice with \(value.kind) as a bound") }
    return number
  }

  func list(_ items: [JinjaValue]) throws -> JinjaValue {
    guard let list = JinjaList(items) else { throw failure("a list nests too deep or holds a namespace or macro") }
    return .list(list)
  }

  func dictionary(_ pairs: [(key: String, value: JinjaValue)]) throws -> JinjaValue {
    guard let value = JinjaDictionary(pairs) else {
      throw failure("a dictionary nests too deep or holds a namespace or macro")
    }
    return .dictionary(value)
  }

  // MARK: Calls

  private mutating func positional(_ arguments: JinjaArguments, for callee: String) throws -> [JinjaValue] {
    if let name = arguments.named.first?.name { throw failure("argument \(name) of \(callee) is not supported") }
    return try arguments.positional.map { try evaluate($0) }
  }

  private mutating func call(_ callee: JinjaExpression, _ arguments: JinjaArguments) throws -> JinjaValue {
    if case .attribute(let object, let name) = callee {
      let object = try evaluate(object)
      return try method(name, of: object, positional(arguments, for: "method \(name)"))
    }
    guard case .name(let name) = callee else { throw failure("a call of what is not a name") }
    switch variable(name) {
    case .macro(let macro): return try call(macro, arguments)
    case .undefined: break
    case let value: throw failure("\(name) is \(value.kind) and cannot be called")
    }
    guard name == "namespace" else { return try function(name, positional(arguments, for: name)) }
    guard arguments.positional.isEmpty else { throw failure("a positional argument of namespace is not supported") }
    let namespace = JinjaNamespace()
    for (name, expression) in arguments.named {
      let value = try evaluate(expression)
      guard value.depth != nil else { throw failure("a namespace cannot hold \(value.kind)") }
      namespace.members[name] = value
    }
    return .namespace(namespace)
  }

  /// A macro sees its parameters and the template's top level; its value is what it prints.
  private mutating func call(_ macro: JinjaMacro, _ arguments: JinjaArguments) throws -> JinjaValue {
    guard arguments.positional.count <= macro.parameters.count else {
      throw failure("\(macro.name) takes \(macro.parameters.count) arguments")
    }
    var locals: [String: JinjaValue] = [:]
    for (parameter, expression) in zip(macro.parameters, arguments.positional) {
      locals[parameter.name] = try evaluate(expression)
    }
    for (name, expression) in arguments.named {
      guard macro.parameters.contains(where: { $0.name == name }), locals[name] == nil else {
        throw failure("\(macro.name) does not take \(name) here")
      }
      locals[name] = try evaluate(expression)
    }
    let (outerScopes, outerOutput, outerLine) = (scopes, output, line)
    defer { (scopes, output, line) = (outerScopes, outerOutput, outerLine) }
    (scopes, output) = ([scopes[0], locals], "")
    for parameter in macro.parameters where locals[parameter.name] == nil {
      let value = try parameter.fallback.map { try evaluate($0) } ?? .undefined(parameter.name)
      scopes[1][parameter.name] = value
    }
    _ = try run(macro.body)
    return .string(output)
  }
}
