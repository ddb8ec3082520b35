// Values that a template computes with; lists and dictionaries know their depth, so that none can nest without bound.
import Files

enum JinjaValue {
  /// What a missing name or key is; it carries the name for messages.
  case undefined(String)
  case none
  case bool(Bool)
  case integer(Int)
  /// A number with a fraction as Python prints it; it is printed and not computed with.
  case float(String)
  case string(String)
  case list(JinjaList)
  case dictionary(JinjaDictionary)
  case namespace(JinjaNamespace)
  case macro(JinjaMacro)
  case loop(JinjaLoopState)

  static let maximumDepth = 16

  /// What kind of value this is, for messages.
  var kind: String {
    switch self {
    case .undefined(let name): "\(name), which is undefined,"
    case .none: "none"
    case .bool: "a Boolean"
    case .integer: "an integer"
    case .float: "a number with a fraction"
    case .string: "a string"
    case .list: "a list"
    case .dictionary: "a dictionary"
    case .namespace: "a namespace"
    case .macro: "a macro"
    case .loop: "the loop variable"
    }
  }

  /// Depth of lists and dictionaries in it; nil for what may not be put into one.
  var depth: Int? {
    switch self {
    case .list(let list): list.depth
    case .dictionary(let dictionary): dictionary.depth
    case .namespace, .macro, .loop: nil
    default: 0
    }
  }

  /// Python's truth value.
  var isTrue: Bool {
    switch self {
    case .undefined, .none: false
    case .bool(let value): value
    case .integer(let value): value != 0
    case .float(let text): text.utf8.contains { (UInt8(ascii: "1")...UInt8(ascii: "9")).contains($0) }
    case .string(let text): !text.isEmpty
    case .list(let list): !list.items.isEmpty
    case .dictionary(let dictionary): !dictionary.members.isEmpty
    case .namespace, .macro, .loop: true
    }
  }

  /// The value as a number; Python's Booleans are numbers.
  var number: Int? {
    switch self {
    case .bool(let value): value ? 1 : 0
    case .integer(let value): value
    default: nil
    }
  }
}

struct JinjaList {
  let items: [JinjaValue]
  let depth: Int

  /// Nil if an item may not be in a list or the nesting becomes too deep.
  init?(_ items: [JinjaValue]) {
    var depth = 0
    for item in items {
      guard let inner = item.depth, inner < JinjaValue.maximumDepth else { return nil }
      depth = max(depth, inner + 1)
    }
    self.items = items
    self.depth = depth
  }
}

struct JinjaDictionary {
  let members: [(key: String, value: JinjaValue)]
  let depth: Int

  /// Later keys replace earlier ones. Nil if a value may not be in a dictionary or the nesting becomes too deep.
  init?(_ pairs: [(key: String, value: JinjaValue)]) {
    var members: [(key: String, value: JinjaValue)] = []
    var places: [ExactString: Int] = [:]
    for pair in pairs {
      if let index = places[ExactString(pair.key)] {
        members[index] = pair
      } else {
        places[ExactString(pair.key)] = members.count
        members.append(pair)
      }
    }
    guard let list = JinjaList(members.map(\.value)) else { return nil }
    self.members = members
    depth = max(1, list.depth)
  }

  subscript(key: String) -> JinjaValue? { members.first { $0.key.hasSameBytes(as: key) }?.value }
}

/// The one mutable value: `namespace(...)` keeps its attributes over the scopes of loops.
final class JinjaNamespace {
  var members: [String: JinjaValue] = [:]
}

/// `loop` inside of a `for`.
struct JinjaLoopState {
  let index: Int
  let items: [JinjaValue]

  subscript(attribute: String) -> JinjaValue? {
    switch attribute {
    case "index": .integer(index + 1)
    case "index0": .integer(index)
    case "revindex": .integer(items.count - index)
    case "revindex0": .integer(items.count - index - 1)
    case "first": .bool(index == 0)
    case "last": .bool(index == items.count - 1)
    case "length": .integer(items.count)
    case "previtem": index > 0 ? items[index - 1] : .undefined("loop.previtem")
    case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined("loop.nextitem")
    default: nil
    }
  }
}
