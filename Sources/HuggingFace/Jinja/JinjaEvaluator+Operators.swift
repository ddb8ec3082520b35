// Operators, attributes, elements and slices, with Python's rules; arithmetic that 64 bits cannot hold is an error.
import Files

extension JinjaEvaluator {
  func binary(_ left: JinjaValue, _ symbol: JinjaOperator, _ right: JinjaValue) throws -> JinjaValue {
    if symbol == .concatenate { return .string(try joined(text(of: left), text(of: right))) }
    if symbol == .add, case .string(let left) = left, case .string(let right) = right {
      return .string(try joined(left, right))
    }
    if symbol == .add, case .list(let left) = left, case .list(let right) = right {
      guard left.items.count + right.items.count <= 1 << 16 else { throw failure("a list of more than 65536 items") }
      try charge(elements: left.items.count + right.items.count)
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
      guard b != 0 else { throw failure("division of \(a) by 0") }
      // The quotient goes down and the remainder has the divisor's sign, as in Python.
      let remainder = a.remainderReportingOverflow(dividingBy: b).partialValue
      let isMixed = remainder != 0 && (remainder < 0) != (b < 0)
      if symbol == .remainder {
        (value, overflow) = (isMixed ? remainder + b : remainder, false)
      } else {
        let quotient = a.dividedReportingOverflow(by: b)
        (value, overflow) = (isMixed ? quotient.partialValue - 1 : quotient.partialValue, quotient.overflow)
      }
    default: throw failure("\(symbol.rawValue) is not supported here")
    }
    guard !overflow else { throw failure("\(a) \(symbol.rawValue) \(b): an integer overflows 64 bits") }
    return .integer(value)
  }

  private func joined(_ left: String, _ right: String) throws -> String {
    try charge(text: left.utf8.count + right.utf8.count)
    return left + right
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
    case (.float, _), (_, .float): throw failure("a comparison of a number with a fraction is not supported")
    // Scalar by scalar, where Swift's == takes canonically equivalent strings for equal.
    case (.string(let a), .string(let b)):
      guard a.utf8.count == b.utf8.count else { return false }
      // One long text may be in a list many times.
      try charge(a.utf8.count / 256)
      return a.hasSameBytes(as: b)
    case (.list(let a), .list(let b)): return try a.items.elementsEqual(b.items, by: isEqual)
    case (.dictionary(let a), .dictionary(let b)):
      return try a.members.count == b.members.count
        && a.members.allSatisfy { member in
          try self.member(member.key, of: b).map { try isEqual($0, member.value) } ?? false
        }
    default: return false
    }
  }

  private func contains(_ container: JinjaValue, _ element: JinjaValue) throws -> Bool {
    switch (container, element) {
    case (.string(let text), .string(let part)):
      try charge(text: 5 * part.utf8.count)
      return ByteSearch(part.utf8).isPart(of: text)
    case (.list(let list), _): return try list.items.contains { try isEqual($0, element) }
    case (.dictionary(let dictionary), .string(let key)): return try member(key, of: dictionary) != nil
    case (.dictionary, _), (.undefined, _): return false
    default: throw failure("in of \(element.kind) and \(container.kind) is not supported")
    }
  }

  /// A dictionary's member; it is looked for in all of them.
  func member(_ key: String, of dictionary: JinjaDictionary) throws -> JinjaValue? {
    try charge(dictionary.members.count / 16)
    return dictionary[key]
  }

  /// `object.name`: undefined if there is none, an error on what is undefined itself.
  func attribute(_ name: String, of object: JinjaValue) throws -> JinjaValue {
    switch object {
    case .dictionary(let dictionary): return try member(name, of: dictionary) ?? .undefined(name)
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
    // Python's Booleans are numbers here too.
    guard let index = index.number else { throw failure("\(index.kind) as an index") }
    let count: Int
    switch object {
    case .list(let list): count = list.items.count
    case .string(let text): count = JinjaText.length(text)
    case .dictionary: return .undefined("element \(index)")
    default: throw failure("element \(index) of \(object.kind) is asked for")
    }
    let (position, overflow) = index < 0 ? index.addingReportingOverflow(count) : (index, false)
    guard !overflow, (0..<count).contains(position) else { return .undefined("element \(index)") }
    if case .list(let list) = object { return list.items[position] }
    return try slice(object, start: position, end: position + 1, step: 1)
  }

  /// `object[start:end:step]`.
  func slice(_ object: JinjaValue, start: Int?, end: Int?, step: Int) throws -> JinjaValue {
    guard step != 0 else { throw failure("a slice with step 0") }
    switch object {
    case .list(let list):
      let slice = JinjaSlice(start: start, end: end, step: step, of: list.items.count)
      try charge(elements: slice.count)
      return try self.list(slice.places.map { list.items[$0] })
    case .string(let text):
      let slice = JinjaSlice(start: start, end: end, step: step, of: JinjaText.length(text))
      try charge(text: slice.bytes(of: text.utf8.count))
      return .string(JinjaText.slice(text, slice))
    default: throw failure("a slice of \(object.kind) is not supported")
    }
  }
}
