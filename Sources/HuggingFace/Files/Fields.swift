// Typed, range-checked reading of a JSON object's keys; every error names the file and the key's full path.
import Files

/// One JSON object of a configuration file. `null` counts as absent, as in transformers.
struct Fields {
  let file: String
  /// Keys from the document's root to this object, each followed by a dot.
  let path: String
  private let values: [ExactString: JSON]

  /// - Throws: if `json` is not an object or repeats a key.
  init(_ json: JSON, file: String, path: String = "") throws {
    guard case .object(let members) = json else {
      let key = path.isEmpty ? "the document" : String(path.dropLast())
      throw HuggingFaceError.badValue(file: file, key: key, problem: "expected an object, found \(json.kind)")
    }
    var values: [ExactString: JSON] = [:]
    for member in members where values.updateValue(member.value, forKey: ExactString(member.key)) != nil {
      throw HuggingFaceError.badValue(file: file, key: path + member.key, problem: "given twice")
    }
    self.file = file
    self.path = path
    self.values = values
  }

  subscript(key: String) -> JSON? {
    guard let value = values[ExactString(key)], value != .null else { return nil }
    return value
  }

  /// In the order of their bytes.
  var keys: [ExactString] { values.keys.sorted() }

  func failure(_ key: String, _ problem: String) -> HuggingFaceError {
    .badValue(file: file, key: path + key, problem: problem)
  }

  func unsupported(_ feature: String, use supported: String) -> HuggingFaceError {
    .unsupported(file: file, feature: path + feature, supported: supported)
  }

  /// The key's value, or `fallback` where it is absent. Throws where it is neither given nor has a fallback.
  private func value<T>(_ key: String, _ fallback: T?, _ kind: String, _ convert: (JSON) -> T?) throws -> T {
    guard let json = self[key] else {
      guard let fallback else { throw failure(key, "missing, expected \(kind)") }
      return fallback
    }
    guard let value = convert(json) else { throw failure(key, "expected \(kind), found \(Self.show(json))") }
    return value
  }

  static func show(_ json: JSON) -> String {
    switch json {
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "\"\(value.prefix(60))\""
    case .bool(let value): "\(value)"
    default: json.kind
    }
  }

  func integer(_ key: String, in range: ClosedRange<Int>, default fallback: Int? = nil) throws -> Int {
    try value(key, fallback, "an integer of \(range.lowerBound) to \(range.upperBound)") {
      guard case .integer(let value) = $0, range.contains(value) else { return nil }
      return value
    }
  }

  /// An integer that may be written as a float without a fraction (`784.0`), nil where the key is absent.
  func wholeNumber(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    let expected = "an integer of \(range.lowerBound) to \(range.upperBound)"
    guard let json = self[key] else { return nil }
    guard let value = json.double.flatMap({ Int(exactly: $0) }), range.contains(value) else {
      throw failure(key, "expected \(expected), found \(Self.show(json))")
    }
    return value
  }

  func number(_ key: String, in range: ClosedRange<Double>, default fallback: Double? = nil) throws -> Double {
    try value(key, fallback, "a number of \(range.lowerBound) to \(range.upperBound)") {
      $0.double.flatMap { range.contains($0) ? $0 : nil }
    }
  }

  func bool(_ key: String, default fallback: Bool? = nil) throws -> Bool {
    try value(key, fallback, "true or false") { if case .bool(let value) = $0 { value } else { nil } }
  }

  func string(_ key: String, default fallback: String? = nil) throws -> String {
    try value(key, fallback, "a string") { if case .string(let value) = $0 { value } else { nil } }
  }

  func array(_ key: String, default fallback: [JSON]? = nil) throws -> [JSON] {
    try value(key, fallback, "an array") { if case .array(let value) = $0 { value } else { nil } }
  }

  func integers(_ key: String, in range: ClosedRange<Int>, default fallback: [Int]? = nil) throws -> [Int] {
    try value(key, fallback, "integers of \(range.lowerBound) to \(range.upperBound)") {
      guard case .array(let elements) = $0 else { return nil }
      let values = elements.compactMap { element -> Int? in
        guard case .integer(let value) = element, range.contains(value) else { return nil }
        return value
      }
      return values.count == elements.count ? values : nil
    }
  }

  /// The object under `key`, nil where it is absent.
  func object(_ key: String) throws -> Fields? {
    try self[key].map { try Fields($0, file: file, path: path + key + ".") }
  }

  /// Refuses a key that holds anything but `value`; absent is fine.
  func require(_ key: String, toBe value: JSON) throws {
    guard let found = self[key], found != value else { return }
    throw unsupported("\(key) \(Self.show(found))", use: Self.show(value))
  }
}
