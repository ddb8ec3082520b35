// Changes of a JSON document that leave it one: values swapped, repeated, taken away, made extreme.
import Files

enum JSONMutator {
  /// The document with one to three values changed; nil for what is no JSON.
  static func mutated(_ bytes: [UInt8], _ random: inout Randomness) -> [UInt8]? {
    guard var document = try? JSON(parsing: bytes) else { return nil }
    for _ in 0...random.below(3) { document = changed(document, &random) }
    return Array(text(document).utf8)
  }

  /// The document with one value changed.
  static func changed(_ document: JSON, _ random: inout Randomness) -> JSON {
    let count = count(document)
    // A value of the same document is likelier to be of use than a random one.
    let other = value(random.below(count), of: document)
    var place = random.below(count)
    return replacing(&place, in: document, other: other, &random)
  }

  private static func count(_ json: JSON) -> Int {
    switch json {
    case .array(let elements): elements.reduce(1) { $0 + count($1) }
    case .object(let members): members.reduce(1) { $0 + count($1.value) }
    default: 1
    }
  }

  private static func children(_ json: JSON) -> [JSON] {
    switch json {
    case .array(let elements): elements
    case .object(let members): members.map(\.value)
    default: []
    }
  }

  private static func value(_ index: Int, of json: JSON) -> JSON {
    var left = index
    func search(_ json: JSON) -> JSON? {
      if left == 0 { return json }
      left -= 1
      for child in children(json) { if let found = search(child) { return found } }
      return nil
    }
    return search(json) ?? json
  }

  private static func replacing(
    _ place: inout Int, in json: JSON, other: JSON, _ random: inout Randomness
  ) -> JSON {
    place -= 1
    if place < 0 { return place == -1 ? change(json, other, &random) : json }
    switch json {
    case .array(let elements): return .array(elements.map { replacing(&place, in: $0, other: other, &random) })
    case .object(let members):
      return .object(
        members.map { .init(key: $0.key, value: replacing(&place, in: $0.value, other: other, &random)) })
    default: return json
    }
  }

  private static let scalars: [JSON] =
    [0, 1, 2, 3, 7, 64, 255, 1024, 65_536, 1 << 31, 1 << 32, 1 << 53, .max].flatMap { [.integer($0), .integer(-$0)] }
    + [
      .integer(.min), .number(0.5), .number(-0.0), .number(.leastNonzeroMagnitude), .number(1e19), .number(-1e308),
      .number(1e308),
    ]
    + [
      .null, .bool(true), .bool(false), .string(""), .array([]), .object([]), .string("\u{301}"), .string("\u{0}a/../"),
    ]

  private static func change(_ json: JSON, _ other: JSON, _ random: inout Randomness) -> JSON {
    switch random.below(5) {
    case 0: return random.one(of: scalars)
    case 1: return other
    default: break
    }
    switch json {
    case .null: return other
    case .bool(let value): return .bool(!value)
    case .integer(let value):
      let near = [
        value &+ 1, value &- 1, value &* 2, -1 &* value, value / 2, value &* 1000, value ^ (1 << random.below(63)),
      ]
      return .integer(random.one(of: near))
    case .number(let value): return .number(random.one(of: [-value, value / 2, value.rounded(), value.nextUp]))
    case .string(let value):
      let bytes = InputFormat.changed(Array(value.utf8), value.utf8.count + 64)
      return .string(String(decoding: bytes, as: UTF8.self))
    case .array(var elements):
      guard !elements.isEmpty else { return .array([other]) }
      let index = random.below(elements.count)
      switch random.below(4) {
      case 0: elements.remove(at: index)
      case 1: elements.insert(elements[index], at: random.below(elements.count + 1))
      case 2: elements.swapAt(index, random.below(elements.count))
      default: elements.append(other)
      }
      return .array(elements)
    case .object(var members):
      guard !members.isEmpty else { return .object([.init(key: "a", value: other)]) }
      let index = random.below(members.count)
      let key = random.one(of: members).key
      switch random.below(5) {
      case 0: members.remove(at: index)
      case 1: members.insert(members[index], at: random.below(members.count + 1))
      case 2: members[index] = .init(key: key, value: members[index].value)
      case 3:
        let bytes = InputFormat.changed(Array(key.utf8), key.utf8.count + 16)
        members[index] = .init(key: String(decoding: bytes, as: UTF8.self), value: members[index].value)
      default: members.append(.init(key: String(random.below(8)), value: other))
      }
      return .object(members)
    }
  }

  /// The document again, members as they stand.
  static func text(_ json: JSON) -> String {
    switch json {
    case .array(let elements): "[" + elements.map(text).joined(separator: ", ") + "]"
    case .object(let members):
      "{" + members.map { text(.string($0.key)) + ": " + text($0.value) }.joined(separator: ", ") + "}"
    case .number(let value) where value == value.rounded() && abs(value) < 1e15: "\(value)"
    default: json.canonical
    }
  }
}
