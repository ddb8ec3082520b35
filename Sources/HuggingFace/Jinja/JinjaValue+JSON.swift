// Values of rows and run files as a template sees them.
import Files

extension JinjaValue {
  /// A JSON value. Numbers with a fraction are printed as Python prints them.
  /// - Throws: what `failure` makes of the problem: a number of more than 64 bits, or too deep nesting.
  init(_ json: JSON, failure: (_ problem: String) -> HuggingFaceError) throws {
    switch json {
    case .null: self = .none
    case .bool(let value): self = .bool(value)
    case .integer(let value): self = .integer(value)
    case .number(let value):
      // Python keeps every digit of a whole number; here those beyond 64 bits are gone.
      guard value.isFinite, abs(value) < 0x1p63 else { throw failure("\(value) has more than 64 bits") }
      self = .float(Self.pythonText(of: value))
    case .string(let text): self = .string(text)
    case .array(let items):
      guard let list = JinjaList(try items.map { try JinjaValue($0, failure: failure) }) else {
        throw failure("nested too deeply")
      }
      self = .list(list)
    case .object(let members):
      let pairs = try members.map { ($0.key, try JinjaValue($0.value, failure: failure)) }
      guard let dictionary = JinjaDictionary(pairs) else { throw failure("nested too deeply") }
      self = .dictionary(dictionary)
    }
  }

  /// `repr` of a float: both languages print the shortest digits that read back as the number, Python without an
  /// exponent from 0.0001 to below 1e16.
  static func pythonText(of value: Double) -> String {
    let text = "\(value)"
    guard abs(value) >= 1e16, !text.utf8.contains(UInt8(ascii: "e")) else { return text }
    // "12345678901234568.0" is "1.2345678901234568e+16".
    let sign = value < 0 ? "-" : ""
    let digits = text.utf8.drop { $0 == UInt8(ascii: "-") }.prefix { $0 != UInt8(ascii: ".") }
    let significant = digits.reversed().drop { $0 == UInt8(ascii: "0") }.reversed()
    let rest = String(decoding: significant.dropFirst(), as: UTF8.self)
    let first = String(decoding: digits.prefix(1), as: UTF8.self)
    return sign + first + (rest.isEmpty ? "" : ".\(rest)") + "e+\(digits.count - 1)"
  }
}
