// The functions, methods, filters and tests that chat templates of this family use; all others are refused by name.
import Files

extension JinjaEvaluator {
  func function(_ name: String, _ arguments: [JinjaValue]) throws -> JinjaValue {
    switch name {
    case "raise_exception":
      guard case .string(let message)? = arguments.first else { throw failure("raise_exception without a message") }
      throw failure("the template refuses these messages: \(message)")
    case "range":
      let numbers = arguments.compactMap(\.number)
      guard (1...2).contains(numbers.count), numbers.count == arguments.count else {
        throw failure("range takes one or two integers here")
      }
      let (start, end) = numbers.count == 1 ? (0, numbers[0]) : (numbers[0], numbers[1])
      guard start < end else { return try list([]) }
      let (count, overflow) = end.subtractingReportingOverflow(start)
      guard !overflow, count <= 1 << 16 else { throw failure("a range of more than 65536 numbers") }
      try charge(elements: count)
      return try list((start..<end).map { .integer($0) })
    default: throw failure("\(name) is undefined and cannot be called")
    }
  }

  func method(_ name: String, of object: JinjaValue, _ arguments: [JinjaValue]) throws -> JinjaValue {
    switch object {
    case .string(let text): return try method(name, of: text, arguments)
    case .dictionary(let dictionary):
      switch (name, arguments.count) {
      case ("items", 0):
        try charge(elements: 5 * dictionary.members.count)
        return try list(dictionary.members.map { try list([.string($0.key), $0.value]) })
      case ("keys", 0): return try list(items(of: object))
      case ("values", 0):
        try charge(elements: dictionary.members.count)
        return try list(dictionary.members.map(\.value))
      case ("get", 1...2):
        guard case .string(let key) = arguments[0] else { throw failure("get with \(arguments[0].kind) as a key") }
        return try member(key, of: dictionary) ?? (arguments.count == 2 ? arguments[1] : .none)
      default: break
      }
    default: break
    }
    throw failure("method \(name) of \(object.kind) is not supported")
  }

  private func method(_ name: String, of text: String, _ arguments: [JinjaValue]) throws -> JinjaValue {
    let strings = try arguments.map { argument -> String in
      guard case .string(let text) = argument else { throw failure("\(name) with \(argument.kind)") }
      return text
    }
    switch (name, strings.count) {
    case ("strip", 0...1): return try strip(text, strings.first, [.start, .end])
    case ("lstrip", 0...1): return try strip(text, strings.first, .start)
    case ("rstrip", 0...1): return try strip(text, strings.first, .end)
    case ("startswith", 1): return .bool(text.utf8.starts(with: strings[0].utf8))
    case ("endswith", 1): return .bool(text.utf8.reversed().starts(with: strings[0].utf8.reversed()))
    case ("split", 1) where !strings[0].isEmpty:
      let (separator, count) = try search(for: strings[0], in: text)
      try charge(text: text.utf8.count)
      try charge(elements: 3 * (count + 1))
      return try list(JinjaText.split(text, by: separator).map { .string($0) })
    case ("replace", 2) where !strings[0].isEmpty:
      let (part, count) = try search(for: strings[0], in: text)
      let (growth, overflow) = strings[1].utf8.count.multipliedReportingOverflow(by: count)
      try charge(text: overflow ? .max : growth)
      try charge(text: text.utf8.count)
      return .string(JinjaText.replace(part, count, in: text, by: strings[1]))
    default: throw failure("method \(name) of a string with \(strings.count) arguments is not supported")
    }
  }

  private func strip(_ text: String, _ set: String?, _ edges: JinjaText.Edges) throws -> JinjaValue {
    try charge((set?.utf8.count ?? 0) / 16)
    try charge(text: text.utf8.count)
    return .string(JinjaText.strip(text, set, edges))
  }

  /// A search for a part, which is not empty, and how often it occurs.
  private func search(for part: String, in text: String) throws -> (ByteSearch, count: Int) {
    try charge(text: 5 * part.utf8.count)
    let search = ByteSearch(part.utf8)
    return (search, JinjaText.count(of: search, in: text))
  }

  func filter(_ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]) throws -> JinjaValue {
    switch (name, arguments.count) {
    case ("trim", 0): return try strip(try text(of: value), nil, [.start, .end])
    case ("length", 0), ("count", 0):
      switch value {
      case .dictionary(let dictionary): return .integer(dictionary.members.count)
      case .string(let text): return .integer(JinjaText.length(text))
      default: return .integer(try items(of: value).count)
      }
    case ("first", 0), ("last", 0):
      if case .string = value { return try element(.integer(name == "first" ? 0 : -1), of: value) }
      let items = try items(of: value)
      return (name == "first" ? items.first : items.last) ?? .undefined("the \(name) of nothing")
    case ("list", 0): return try list(items(of: value))
    case ("items", 0):
      switch value {
      case .undefined: return try list([])
      case .dictionary: return try method("items", of: value, [])
      default: throw failure("the items of \(value.kind); give a dictionary")
      }
    // Marks a text for HTML's escaping, which transformers does not do.
    case ("safe", 0): return value
    case ("string", 0): return .string(try text(of: value))
    case ("default", 1...2), ("d", 1...2):
      let replacesFalse = arguments.count == 2 && arguments[1].isTrue
      if case .undefined = value { return arguments[0] }
      return replacesFalse && !value.isTrue ? arguments[0] : value
    case ("join", 0...1):
      let separator = try arguments.first.map { try text(of: $0) } ?? ""
      var result = ""
      for (index, item) in try items(of: value).enumerated() {
        let item = try text(of: item)
        try charge(text: item.utf8.count + separator.utf8.count)
        if index > 0 { result += separator }
        result += item
      }
      return .string(result)
    case ("tojson", 0):
      var bytes: [UInt8] = []
      try appendJSON(value, to: &bytes)
      return .string(String(decoding: bytes, as: UTF8.self))
    default: throw failure("filter \(name) with \(arguments.count) arguments is not supported")
    }
  }

  func test(_ name: String, _ value: JinjaValue) throws -> Bool {
    switch (name, value) {
    case ("undefined", .undefined): return true
    case ("undefined", _): return false
    case ("defined", .undefined): return false
    case ("defined", _): return true
    case ("none", .none), ("string", .string), ("mapping", .dictionary), ("boolean", .bool): return true
    case ("integer", .integer), ("number", .integer), ("number", .float), ("number", .bool): return true
    case ("true", .bool(let value)): return value
    case ("false", .bool(let value)): return !value
    case ("iterable", .list), ("iterable", .dictionary), ("iterable", .string), ("iterable", .undefined): return true
    case ("sequence", .list), ("sequence", .dictionary), ("sequence", .string), ("sequence", .undefined): return true
    case ("none", _), ("string", _), ("mapping", _), ("boolean", _), ("integer", _), ("number", _), ("true", _),
      ("false", _), ("iterable", _), ("sequence", _):
      return false
    default: throw failure("test \(name) is not supported")
    }
  }

  /// `json.dumps(value, ensure_ascii=False)`, which transformers puts in the place of Jinja's own filter.
  private func appendJSON(_ value: JinjaValue, to bytes: inout [UInt8]) throws {
    try charge(1)
    switch value {
    case .none: bytes.append(contentsOf: "null".utf8)
    case .bool(let value): bytes.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): bytes.append(contentsOf: "\(value)".utf8)
    case .float(let text): bytes.append(contentsOf: text.utf8)
    case .string(let text): try appendQuoted(text, to: &bytes)
    case .list(let list):
      bytes.append(UInt8(ascii: "["))
      for (index, item) in list.items.enumerated() {
        if index > 0 { bytes.append(contentsOf: ", ".utf8) }
        try appendJSON(item, to: &bytes)
      }
      bytes.append(UInt8(ascii: "]"))
    case .dictionary(let dictionary):
      bytes.append(UInt8(ascii: "{"))
      for (index, member) in dictionary.members.enumerated() {
        if index > 0 { bytes.append(contentsOf: ", ".utf8) }
        try appendQuoted(member.key, to: &bytes)
        bytes.append(contentsOf: ": ".utf8)
        try appendJSON(member.value, to: &bytes)
      }
      bytes.append(UInt8(ascii: "}"))
    default: throw failure("tojson of \(value.kind)")
    }
  }

  private func appendQuoted(_ text: String, to bytes: inout [UInt8]) throws {
    // Twice: once in the bytes, once in the text made of them.
    try charge(text: 2 * text.utf8.count)
    JinjaText.appendQuoted(text, to: &bytes)
  }
}
