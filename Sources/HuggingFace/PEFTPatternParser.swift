// The syntax of Python's `re`, as far as PEFTPattern reads it.

/// Reads a pattern from left to right.
struct PEFTPatternParser {
  private typealias Node = PEFTPattern.Node
  private typealias Problem = PEFTPattern.Problem

  private static let maximumBytes = 1 << 16
  private static let maximumDepth = 40
  private static let maximumCount = 1000

  static let all: UInt128 = .max
  static let digits = set(0x30...0x39)
  static let word = digits | set(0x41...0x5A) | set(0x61...0x7A) | set(0x5F...0x5F)
  static let space = set(0x09...0x0D) | set(0x1C...0x20)

  private let bytes: [UInt8]
  private var index = 0
  private var depth = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  static func set(_ range: ClosedRange<UInt8>) -> UInt128 {
    range.reduce(0) { $0 | 1 << UInt128($1) }
  }

  /// The whole pattern.
  mutating func pattern() throws(PEFTPattern.Problem) -> PEFTPattern.Node {
    guard bytes.count <= Self.maximumBytes else { throw refuse("is longer than \(Self.maximumBytes) bytes") }
    guard bytes.allSatisfy({ $0 < 128 }) else { throw refuse("has a character outside ASCII") }
    let node = try alternatives()
    guard index == bytes.count else { throw refuse("has ) without (") }
    return node
  }

  private func refuse(_ text: String) -> Problem { Problem(text: text) }

  private var next: UInt8? { index < bytes.count ? bytes[index] : nil }

  private mutating func take(_ text: StaticString) -> Bool {
    guard bytes[index...].starts(with: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)) else {
      return false
    }
    index += text.utf8CodeUnitCount
    return true
  }

  private mutating func alternatives() throws(Problem) -> Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Self.maximumDepth else { throw refuse("has groups deeper than \(Self.maximumDepth)") }
    var nodes = [try sequence()]
    while take("|") { nodes.append(try sequence()) }
    return nodes.count == 1 ? nodes[0] : .alternatives(nodes)
  }

  private mutating func sequence() throws(Problem) -> Node {
    var nodes: [Node] = []
    while let byte = next, byte != UInt8(ascii: "|"), byte != UInt8(ascii: ")") {
      guard let item = try item() else { continue }
      guard let (least, most) = try repetition() else {
        nodes.append(item)
        continue
      }
      switch item {
      case .start, .end, .wordBoundary: throw refuse("repeats an anchor")
      default: nodes.append(.repetition(item, least: least, most: most))
      }
    }
    return .sequence(nodes)
  }

  /// `*`, `+`, `?`, `{2}`, `{2,}`, `{,3}` or `{2,3}`, lazy or not; nil where there is none.
  private mutating func repetition() throws(Problem) -> (least: Int, most: Int?)? {
    guard let counts = try counts() else { return nil }
    _ = take("?")
    if next == UInt8(ascii: "+") { throw refuse("has a possessive repetition") }
    guard try self.counts() == nil else { throw refuse("repeats a repetition") }
    return counts
  }

  private mutating func counts() throws(Problem) -> (least: Int, most: Int?)? {
    if take("*") { return (0, nil) }
    if take("+") { return (1, nil) }
    if take("?") { return (0, 1) }
    let start = index
    guard take("{") else { return nil }
    if next != UInt8(ascii: "}") {
      let least = try number()
      let most = take(",") ? try number() : least
      if take("}") {
        if let most, most < least ?? 0 { throw refuse("has {\(least ?? 0),\(most)}, the least above the most") }
        return (least ?? 0, most)
      }
    }
    // A brace of its own is a literal.
    index = start
    return nil
  }

  private mutating func number() throws(Problem) -> Int? {
    var value: Int?
    while let byte = next, (0x30...0x39).contains(byte) {
      let number = (value ?? 0) * 10 + Int(byte - 0x30)
      guard number <= Self.maximumCount else { throw refuse("repeats more than \(Self.maximumCount) times") }
      value = number
      index += 1
    }
    return value
  }

  /// One element, nil for a comment.
  private mutating func item() throws(Problem) -> Node? {
    guard let byte = next else { throw refuse("ends too early") }
    index += 1
    switch byte {
    case UInt8(ascii: "."): return .character(Self.all & ~Self.set(0x0A...0x0A))
    case UInt8(ascii: "^"): return .start
    case UInt8(ascii: "$"): return .end
    case UInt8(ascii: "("): return try group()
    case UInt8(ascii: "["): return .character(try characterClass())
    case UInt8(ascii: "\\"): return try escape()
    case UInt8(ascii: "*"), UInt8(ascii: "+"), UInt8(ascii: "?"): throw refuse("has nothing to repeat")
    case UInt8(ascii: "{"):
      index -= 1
      guard try counts() == nil else { throw refuse("has nothing to repeat") }
      index += 1
      return .character(Self.set(byte...byte))
    default: return .character(Self.set(byte...byte))
    }
  }

  private mutating func group() throws(Problem) -> Node? {
    if take("?#") {
      while let byte = next, byte != UInt8(ascii: ")") { index += 1 }
      guard take(")") else { throw refuse("has a comment that is not closed") }
      return nil
    }
    if take("?=") { return .lookahead(try inside(), negated: false) }
    if take("?!") { return .lookahead(try inside(), negated: true) }
    if take("?<=") { return try lookbehind(negated: false) }
    if take("?<!") { return try lookbehind(negated: true) }
    if take("?P<") {
      let start = index
      while let byte = next, Self.word & 1 << UInt128(byte) != 0 { index += 1 }
      guard index > start, !(0x30...0x39).contains(bytes[start]), take(">") else {
        throw refuse("has a group without a name")
      }
    } else if !take("?:"), next == UInt8(ascii: "?") {
      let shown = String(decoding: bytes[(index - 1)...].prefix(4), as: UTF8.self)
      throw refuse("has \(shown), which is not read")
    }
    // Always a group of its own, so that a repetition is of all of it.
    return .sequence([try inside()])
  }

  private mutating func inside() throws(Problem) -> Node {
    let node = try alternatives()
    guard take(")") else { throw refuse("has ( without )") }
    return node
  }

  private mutating func lookbehind(negated: Bool) throws(Problem) -> Node {
    let node = try inside()
    guard let width = Self.width(node) else { throw refuse("has a lookbehind of more than one width") }
    return .lookbehind(node, width: width, negated: negated)
  }

  /// How many characters a node takes, nil where that varies.
  private static func width(_ node: Node) -> Int? {
    switch node {
    case .character: return 1
    case .lookahead, .lookbehind, .start, .end, .wordBoundary: return 0
    case .sequence(let nodes):
      var sum = 0
      for node in nodes {
        guard let width = width(node) else { return nil }
        sum += width
      }
      return sum
    case .alternatives(let nodes):
      let widths = Set(nodes.map(width))
      return widths.count == 1 ? widths.first ?? nil : nil
    case .repetition(let body, let least, let most):
      guard least == most, let width = width(body) else { return nil }
      let (product, overflow) = width.multipliedReportingOverflow(by: least)
      return overflow ? nil : product
    }
  }

  // MARK: - Characters

  private mutating func escape() throws(Problem) -> Node {
    switch next {
    case UInt8(ascii: "A"): return advance(.start)
    case UInt8(ascii: "Z"): return advance(.end)
    case UInt8(ascii: "b"): return advance(.wordBoundary(negated: false))
    case UInt8(ascii: "B"): return advance(.wordBoundary(negated: true))
    default: return .character(try escapedCharacters().set)
    }
  }

  private mutating func advance(_ node: Node) -> Node {
    index += 1
    return node
  }

  /// What follows a backslash, in a class or not; `isOne`: it stands for one character.
  private mutating func escapedCharacters() throws(Problem) -> (set: UInt128, isOne: Bool) {
    guard let byte = next else { throw refuse("ends in a backslash") }
    index += 1
    switch byte {
    case UInt8(ascii: "d"): return (Self.digits, false)
    case UInt8(ascii: "D"): return (~Self.digits, false)
    case UInt8(ascii: "w"): return (Self.word, false)
    case UInt8(ascii: "W"): return (~Self.word, false)
    case UInt8(ascii: "s"): return (Self.space, false)
    case UInt8(ascii: "S"): return (~Self.space, false)
    case let byte where Self.word & 1 << UInt128(byte) != 0 && byte != UInt8(ascii: "_"):
      throw refuse("has \\\(Character(Unicode.Scalar(byte))), which is not read")
    default: return (Self.set(byte...byte), true)
    }
  }

  private mutating func characterClass() throws(Problem) -> UInt128 {
    let negated = take("^")
    var result: UInt128 = 0
    var isFirst = true
    while isFirst || next != UInt8(ascii: "]") {
      isFirst = false
      let (low, isOne) = try classElement()
      guard next == UInt8(ascii: "-"), index + 1 < bytes.count, bytes[index + 1] != UInt8(ascii: "]") else {
        result |= low
        continue
      }
      index += 1
      let (high, isOneToo) = try classElement()
      let (from, to) = (UInt8(low.trailingZeroBitCount), UInt8(high.trailingZeroBitCount))
      guard isOne, isOneToo, from <= to else { throw refuse("has a class with a range that is none") }
      result |= Self.set(from...to)
    }
    index += 1
    return negated ? ~result : result
  }

  private mutating func classElement() throws(Problem) -> (set: UInt128, isOne: Bool) {
    guard let byte = next else { throw refuse("has [ without ]") }
    index += 1
    return byte == UInt8(ascii: "\\") ? try escapedCharacters() : (Self.set(byte...byte), true)
  }
}
