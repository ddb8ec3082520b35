// The types of values in a run file: how each is read from a scalar, printed, and described in messages.
import Adapters
import Collectives
import Datasets
import Files
import Preprocessing
import QwenVL
import Tensors

/// A scalar as written.
struct Scalar: Equatable {
  let text: String
  /// Quoted text is never a number, a Boolean or null.
  let quoted: Bool

  var isNull: Bool { !quoted && ["", "~", "null", "Null", "NULL"].contains(text) }
}

/// A type that a key can have.
protocol Value: Equatable {
  static var expectation: String { get }
  /// Nil where the scalar is no such value; relative paths start from `folder`.
  init?(_ scalar: Scalar, folder: String)
  /// Nil where the list is no such value, as it is for all types but lists.
  init?(list: [Scalar])
  /// Nil where the mapping is no such value, as it is for all types but mappings; keys with null are left out before.
  init?(mapping: [(key: String, value: Scalar)])
  /// Nil where the list is no such value; its elements may be mappings. Throws for what is wrong inside of one.
  init?(elements: [Tree], key: String, of reader: Reader) throws(RunFileError)
  /// The canonical form; reading it gives the same value.
  var yaml: String { get }
}

extension Value {
  init?(list: [Scalar]) { nil }
  init?(mapping: [(key: String, value: Scalar)]) { nil }
  init?(elements: [Tree], key: String, of reader: Reader) throws(RunFileError) {
    let scalars = elements.compactMap { (element) -> Scalar? in
      if case .scalar(let scalar) = element.content { scalar } else { nil }
    }
    guard scalars.count == elements.count else { return nil }
    self.init(list: scalars)
  }
}

/// Which values of a type a key takes, and what stands for an absent one.
struct Accepted<V: Value> {
  var contains: (V) -> Bool = { _ in true }
  var expectation = V.expectation
  var isRequired = false
  var absent: String?

  static var any: Accepted { Accepted() }
  static var required: Accepted { Accepted(isRequired: true) }
}

extension Accepted where V: Comparable {
  /// A range, described by its ends or by a text.
  static func within(_ range: ClosedRange<V>, _ words: String? = nil) -> Accepted {
    let ends = "\(V.expectation) from \(range.lowerBound.yaml) to \(range.upperBound.yaml)"
    return Accepted(contains: range.contains, expectation: words ?? ends)
  }
}

extension Accepted<Double> {
  static var positive: Accepted { Accepted(contains: { $0 > 0 && $0.isFinite }, expectation: "a number above 0") }
}

extension Accepted<RunPath> {
  static func absent(_ path: String) -> Accepted { Accepted(absent: path) }
}

extension Int: Value {
  static var expectation: String { "an integer" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.quoted else { return nil }
    self.init(scalar.text)
  }
  var yaml: String { String(self) }
}

extension UInt64: Value {
  static var expectation: String { "an integer from 0 to \(UInt64.max)" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.quoted else { return nil }
    self.init(scalar.text)
  }
  var yaml: String { String(self) }
}

extension Double: Value {
  static var expectation: String { "a number" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.quoted else { return nil }
    if scalar.text == ".inf" {
      self = .infinity
      return
    }
    // Swift would also read "nan", "infinity" and hexadecimal numbers.
    let decimal = Set("0123456789+-.eE".utf8)
    guard scalar.text.utf8.allSatisfy(decimal.contains), let number = Double(scalar.text), number.isFinite else {
      return nil
    }
    self = number
  }
  var yaml: String { self == .infinity ? ".inf" : description }
}

extension Bool: Value {
  static var expectation: String { "true or false" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.quoted else { return nil }
    self.init(scalar.text)
  }
  var yaml: String { description }
}

extension String: Value {
  static var expectation: String { "a text" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.text.isEmpty else { return nil }
    self = scalar.text
  }
  var yaml: String { doubleQuoted(self) }
}

extension RunPath: Value {
  static var expectation: String { "a path" }
  init?(_ scalar: Scalar, folder: String) {
    guard !scalar.text.isEmpty, !scalar.text.utf8.contains(0) else { return nil }
    written = scalar.text
    let whole = written.hasPrefix("/") ? written : folder + "/" + written
    // ".." stays: after a symbolic link it does not cancel the name before it.
    resolved = "/" + whole.split(separator: "/").filter { $0 != "." }.joined(separator: "/")
  }
  /// The resolved path, so that a printed run means the same wherever it is saved.
  var yaml: String { doubleQuoted(resolved) }
}

extension StallLimit: Value {
  static var expectation: String { "auto, 0 or a number of seconds from 0.5 to 1e9" }
  init?(_ scalar: Scalar, folder: String) {
    if scalar.text == "auto" {
      self = .automatic
      return
    }
    guard let seconds = Double(scalar, folder: folder) else { return nil }
    guard seconds == 0 || (0.5...1e9).contains(seconds) else { return nil }
    self = seconds == 0 ? .off : .seconds(seconds)
  }
  var yaml: String {
    switch self {
    case .off: "0"
    case .automatic: "auto"
    case .seconds(let seconds): seconds.yaml
    }
  }
}

extension Value where Self: RawRepresentable & CaseIterable, RawValue == String {
  static var expectation: String { allCases.map(\.rawValue).joined(separator: " or ") }
  init?(_ scalar: Scalar, folder: String) { self.init(rawValue: scalar.text) }
  var yaml: String { rawValue }
}

/// Names of keys of rows, as they are given.
package struct RowKeyNames: Sendable, Equatable {
  package var names: [String] = []
}

extension RowKeyNames: Value {
  static var expectation: String { "a list of keys that rows are not read for" }
  init?(_ scalar: Scalar, folder: String) { nil }
  init?(list: [Scalar]) {
    names = list.map(\.text)
    guard names.allSatisfy({ !$0.isEmpty && $0.utf8.count <= 100 }) else { return nil }
  }
  var yaml: String { "[\(names.map(doubleQuoted).joined(separator: ", "))]" }
}

extension Accepted<RowKeyNames> {
  /// Not those that the reader itself reads: leaving them out would change what rows mean.
  static var ignorable: Accepted {
    Accepted(contains: { $0.names.allSatisfy(RowKey.mayIgnore) })
  }
}

// The domain's own enumerations, by their raw values.
extension Precision: Value {}
extension Reproducible: Value {}
extension BadExamples: Value {}
extension Coordinates: Value {}
extension ExampleIDs: Value {}
extension ImageReading.Transparency: Value {}
extension ImageReading.ExifOrientation: Value {}
extension ImageReading.Damaged: Value {}
extension AdapterKind: Value {}
extension Normalization: Value {}
extension ValueHeads: Value {}
extension SelectionMethod: Value {}
extension Estimator: Value {}
extension Schedule: Value {}
extension BestBy: Value {}
extension Scorer: Value {}

/// YAML's double-quoted form, which can hold every text in one line; `*` is escaped so that it cannot look like an
/// alias.
func doubleQuoted(_ text: String) -> String {
  var quoted = "\""
  for scalar in text.unicodeScalars {
    switch scalar {
    case "\"", "\\": quoted += "\\\(scalar)"
    case "\0"..."\u{1F}", "\u{7F}"..."\u{9F}", "\u{2028}", "\u{2029}", "\u{FEFF}", "*": quoted += unicodeEscape(scalar)
    default: quoted.unicodeScalars.append(scalar)
    }
  }
  return quoted + "\""
}
