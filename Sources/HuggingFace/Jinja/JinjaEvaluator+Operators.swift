// Operators, attributes, elements and slices, with Python's rules.

extension JinjaEvaluator {
  func binary(_ left: JinjaValue, _ symbol: JinjaOperator, _ right: JinjaValue) throws -> JinjaValue {
    if symbol == .concatenate { return .string(try joined(text(of: left), text(of: right))) }
    if symbol == .add, case .string(let left) = left, case .string(let right) = right {
      return .string(try joined(left, right))
    }
    if symbol == .add, case .list(let left) = left, case .list(let right) = right {
      guard left.items.count + right.items.count <= 1 << 16 else { throw failure("a list of more than 65536 items") }
      return try list(left.items + right.items)
    }
    guard let a = left.number, let b = right.number else {
      throw failure("\(symbol.rawValue) of \(left.kind) and \(right.kind) is not supported")
    }
    let (value, overflow): (Int, Bool)
    switch symbol {
    case .add: (value, overflow) = a.addingReportingOverflow(b)
    case .subtract: (value, overflow) = a.subtractingReportingOverflow(b)
    case .multiply: (value, overflow) = a.multipliedReportingOverflow(by: b)
    case .floorDivide, .remainder:
      guard b != 0, !(a == .min && b == -1) else { throw failure("division of \(a) by \(b)") }
      let remainder = ((a % b) + b) % b  // of the divisor's sign, as in Python
      (value, overflow) = (symbol == .remainder ? remainder : (a - remainder) / b, false)
    default: throw failure("\(symbol.rawValue) is not supported here")
    }
    guard !overflow else { throw failure("an integer overflows") }
    return .integer(value)
  }

  private func joined(_ left: String, _ right: String) throws -> String {
    try checkLength(left.utf8.count + right.utf8.count)
    return left + right
  }

  func checkLength(_ bytes: Int) throws {
    guard bytes <= Self.maximumText else { throw failure("a string of more than \(Self.maximumText) bytes") }
  }

  func compare(_ left: JinjaValue, _ symbol: JinjaOperator, _ right: JinjaValue) throws -> Bool {
    switch symbol {
    case .equal: return try isEqual(left, right)
    case .unequal: return try !isEqual(left, right)
    case .isIn: return try contains(right, left)
    case .isNotIn: return try !contains(right, left)
    default: break
    }
    guard let a = left.number, let b = right.number else {
      throw failure("\(symbol.rawValue) of \(left.kind) and \(right.kind) is not supported")
    }
    switch symbol {
    case .less: return a < b
    case .lessOrEqual: return a <= b
    case .greater: return a > b
    default: return a >= b
    }
  }

  func isEqual(_ left: JinjaValue, _ right: JinjaValue) throws -> Bool {
    try charge(1)
    if let a = left.number, let b = right.number { return a == b }
    switch (left, right) {
    case (.none, .none), (.undefined, .undefined): return true
    // Scalar by scalar, where Swift's == takes canonically equivalent strings for equal.
    case (.string(let a), .string(let b)): return a.utf8.elementsEqual(b.utf8)
    case (.list(let a), .list(let b)): return try a.items.elementsEqual(b.items, by: isEqual)
    case (.dictionary(let a), .dictionary(let b)):
      return try a.members.count == b.members.count
        && a.members.allSatisfy { member in try b[member.key].map { try isEqual($0, member.value) } ?? false }
    default: return false
    }
  }

  private func contains(_ container: JinjaValue, _ element: JinjaValue) throws -> Bool {
    switch (container, element) {
    case (.string(let text), .string(let part)):
      try chargeSearch(for: part, in: text)
      return part.isEmpty || JinjaText.firstRange(of: part, in: text) != nil
    case (.list(let list), _): return try list.items.contains { try isEqual($0, element) }
    case (.dictionary(let dictionary), .string(let key)): return dictionary[key] != nil
    case (.dictionary, _), (.undefined, _): return false
    default: throw failure("in of \(element.kind) and \(container.kind) is not supported")
    }
  }

  /// The search is the plain one, whose time is the product of both lengths at worst.
  func chargeSearch(for part: String, in text: String) throws {
    let (product, overflow) = text.utf8.count.multipliedReportingOverflow(by: part.utf8.count)
    try charge(overflow ? 1 << 40 : product / 256)
  }

  /// `object.name`: undefined if there is none, an error on what is undefined itself.
  func attribute(_ name: String, of object: JinjaValue) throws -> JinjaValue {
    switch object {
    case .dictionary(let dictionary): return dictionary[name] ?? .undefined(name)
    case .namespace(let namespace): return namespace.members[name] ?? .undefined(name)
    case .loop(let loop):
      guard let value = loop[name] else { throw failure("loop.\(name) is not supported") }
      return value
    case .undefined: throw failure("\(name) of \(object.kind.dropLast()) is asked for")
    default: return .undefined(name)
    }
  }

  /// `object[index]`: undefined if there is none.
  func element(_ index: JinjaValue, of object: JinjaValue) throws -> JinjaValue {
    if case .string(let key) = index { return try attribute(key, of: object) }
    guard case .integer(let index) = index else { throw failure("\(index.kind) as an index") }
    let items: [JinjaValue]
    switch object {
    case .list, .string: items = try self.items(of: object)
    case .dictionary: return .undefined("element \(index)")
    default: throw failure("element \(index) of \(object.kind) is asked for")
    }
    let (position, overflow) = index < 0 ? index.addingReportingOverflow(items.count) : (index, false)
    return !overflow && items.indices.contains(position) ? items[position] : .undefined("element \(index)")
  }

  /// `object[start:end:step]`.
  func slice(_ object: JinjaValue, start: Int?, end: Int?, step: Int) throws -> JinjaValue {
    let items: [JinjaValue]
    switch object {
    case .list, .string: items = try self.items(of: object)
    default: throw failure("a slice of \(object.kind) is not supported")
    }
    guard step != 0, step != .min else { throw failure("a slice with step \(step)") }
    let count = items.count
    func bound(_ bound: Int?, _ fallback: Int) -> Int {
      guard let bound else { return fallback }
      let lowest = step > 0 ? 0 : -1
      return min(max(bound < 0 ? bound + count : bound, lowest), step > 0 ? count : count - 1)
    }
    let first = bound(start, step > 0 ? 0 : count - 1)
    let last = bound(end, step > 0 ? count : -1)
    let picked = stride(from: first, to: last, by: step).map { items[$0] }
    guard case .string = object else { return try list(picked) }
    return .string(try picked.map { try text(of: $0) }.joined())
  }
}
