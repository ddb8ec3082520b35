// The functions, methods, filters and tests that chat templates of this family use; all others are refused by name.

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
        return try list(dictionary.members.map { try list([.string($0.key), $0.value]) })
      case ("keys", 0): return try list(dictionary.members.map { .string($0.key) })
      case ("values", 0): return try list(dictionary.members.map(\.value))
      case ("get", 1...2):
        guard case .string(let key) = arguments[0] else { throw failure("get with \(arguments[0].kind) as a key") }
        return dictionary[key] ?? (arguments.count == 2 ? arguments[1] : .none)
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
    if name == "split" || name == "replace" { try chargeSearch(for: strings.first ?? "", in: text) }
    switch (name, strings.count) {
    case ("strip", 0...1): return .string(JinjaText.strip(text, strings.first, [.start, .end]))
    case ("lstrip", 0...1): return .string(JinjaText.strip(text, strings.first, .start))
    case ("rstrip", 0...1): return .string(JinjaText.strip(text, strings.first, .end))
    case ("startswith", 1): return .bool(text.utf8.starts(with: strings[0].utf8))
    case ("endswith", 1): return .bool(text.utf8.reversed().starts(with: strings[0].utf8.reversed()))
    case ("split", 1) where !strings[0].isEmpty:
      return try list(JinjaText.split(text, by: strings[0]).map { .string($0) })
    case ("replace", 2) where !strings[0].isEmpty:
      let parts = JinjaText.split(text, by: strings[0])
      let (growth, overflow) = strings[1].utf8.count.multipliedReportingOverflow(by: parts.count)
      try checkLength(overflow ? .max : growth)
      return .string(parts.joined(separator: strings[1]))
    default: throw failure("method \(name) of a string with \(strings.count) arguments is not supported")
    }
  }

  func filter(_ name: String, _ value: JinjaValue, _ arguments: [JinjaValue]) throws -> JinjaValue {
    switch (name, arguments.count) {
    case ("trim", 0): return .string(JinjaText.strip(try text(of: value), nil, [.start, .end]))
    case ("length", 0), ("count", 0):
      if case .dictionary(let dictionary) = value { return .integer(dictionary.members.count) }
      return .integer(try items(of: value).count)
    case ("first", 0): return try items(of: value).first ?? .undefined("the first of nothing")
    case ("last", 0): return try items(of: value).last ?? .undefined("the last of nothing")
    case ("list", 0): return try list(items(of: value))
    case ("string", 0): return .string(try text(of: value))
    case ("default", 1...2), ("d", 1...2):
      let replacesFalse = arguments.count == 2 && arguments[1].isTrue
      if case .undefined = value { return arguments[0] }
      return replacesFalse && !value.isTrue ? arguments[0] : value
    case ("join", 0...1):
      let separator = try arguments.first.map { try text(of: $0) } ?? ""
      var result = ""
      for (index, item) in try items(of: value).enumerated() {
        result += try (index == 0 ? "" : separator) + text(of: item)
        try checkLength(result.utf8.count)
      }
      return .string(result)
    case ("tojson", 0):
      var bytes = 0
      return .string(try json(value, &bytes))
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
    case ("integer", .integer), ("number", .integer), ("number", .bool): return true
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
  private func json(_ value: JinjaValue, _ bytes: inout Int) throws -> String {
    let result: String
    switch value {
    case .none: result = "null"
    case .bool(let value): result = value ? "true" : "false"
    case .integer(let value): result = "\(value)"
    case .string(let text): result = JinjaText.quoted(text)
    case .list(let list): result = try "[" + list.items.map { try json($0, &bytes) }.joined(separator: ", ") + "]"
    case .dictionary(let dictionary):
      let members = try dictionary.members.map { try JinjaText.quoted($0.key) + ": " + json($0.value, &bytes) }
      result = "{" + members.joined(separator: ", ") + "}"
    default: throw failure("tojson of \(value.kind)")
    }
    bytes += result.utf8.count
    try checkLength(bytes)
    return result
  }
}
