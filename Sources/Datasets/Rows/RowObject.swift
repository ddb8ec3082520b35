// One JSON object of a row, its keys checked against the table: used, counted, or refused by name.
import Files

/// An example's fault before its line and id are known.
struct BadExample: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// Which unknown keys a reader leaves out, and how often it did.
struct IgnoredKeys {
  /// A key that begins with it is left out everywhere.
  static let prefix: UInt8 = UInt8(ascii: "_")
  let names: Set<ExactString>
  private(set) var counts: [ExactString: Int] = [:]

  init(_ names: [String]) { self.names = Set(names.map { ExactString($0) }) }

  /// Whether a key is left out; counts it then.
  mutating func takes(_ key: String) -> Bool {
    guard key.utf8.first == Self.prefix || names.contains(ExactString(key)) else { return false }
    counts[ExactString(key), default: 0] += 1
    return true
  }

  mutating func add(_ other: IgnoredKeys) { counts.merge(other.counts, uniquingKeysWith: +) }
}

/// The values of an object's keys; `null` counts as absent.
struct RowObject {
  let owner: RowKey.Owner
  /// Where the object is in the row, as `messages[0]`; empty for the row itself.
  let place: String
  private let values: [ExactString: JSON]

  /// Throws for what is no object, for a key given twice, and for one that is neither read nor left out.
  init(_ json: JSON, _ owner: RowKey.Owner, at place: String, ignored: inout IgnoredKeys) throws(BadExample) {
    guard case .object(let members) = json else {
      throw BadExample("\(place.isEmpty ? "" : place + ": ")expected an object, found \(json.kind)")
    }
    (self.owner, self.place) = (owner, place)
    var values: [ExactString: JSON] = [:]
    for member in members {
      let name = ExactString(member.key)
      guard values.updateValue(member.value, forKey: name) == nil else {
        throw BadExample("\(Self.path(place, member.key)): the key is given twice; keep one")
      }
      guard member.value != .null else { continue }
      switch RowKey.known(member.key, of: owner)?.use {
      case .read: break
      case .readUnlessIgnored: if ignored.takes(member.key) { values[name] = .null }
      case .refused(let remedy):
        guard !member.value.isEmpty, !ignored.takes(member.key) else { continue }
        throw BadExample("\(Self.path(place, member.key)) is not read: \(remedy)")
      case nil:
        guard !ignored.takes(member.key) else { continue }
        let nearest = RowKey.nearest(to: member.key, of: owner).map { "; did you mean \"\($0)\"?" } ?? ""
        throw BadExample(
          "\(Self.path(place, member.key)): unknown key\(nearest)\(nearest.isEmpty ? ";" : "") if it only annotates, "
            + "add it to data.ignore_keys")
      }
    }
    self.values = values
  }

  private static func path(_ place: String, _ key: String) -> String {
    // A hostile key may be of any length and hold anything.
    let isPlain = (1...40).contains(key.utf8.count) && key.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
    let name = isPlain ? key : quoted(key)
    return place.isEmpty ? name : "\(place).\(name)"
  }

  /// The path of a key, for messages.
  func path(_ key: String) -> String { Self.path(place, key) }

  subscript(_ key: String) -> JSON? {
    guard let value = values[ExactString(key)], value != .null else { return nil }
    return value
  }

  /// The one of these keys that is given. Throws where several are.
  func one(of keys: [String]) throws(BadExample) -> (key: String, value: JSON)? {
    let given = keys.compactMap { key in self[key].map { (key: key, value: $0) } }
    guard given.count <= 1 else {
      let names = given.map { "\"\($0.key)\"" }.joined(separator: " and ")
      throw BadExample("\(place.isEmpty ? "" : place + ": ")has both \(names); keep one")
    }
    return given.first
  }

  func failure(_ key: String, _ expected: String, _ found: JSON) -> BadExample {
    BadExample("\(path(key)): expected \(expected), found \(found.shown)")
  }

  func text(_ key: String) throws(BadExample) -> String? {
    guard let value = self[key] else { return nil }
    guard case .string(let text) = value else { throw failure(key, "a text", value) }
    return text
  }

  func list(_ key: String, of what: String) throws(BadExample) -> [JSON]? {
    guard let value = self[key] else { return nil }
    guard case .array(let items) = value else { throw failure(key, "a list of \(what)", value) }
    return items
  }

  /// A whole number from 1 to what an image's side or area may be.
  func positiveInteger(_ key: String) throws(BadExample) -> Int? {
    guard let value = self[key] else { return nil }
    guard let number = value.double, let whole = Int(exactly: number), (1...1_000_000_000).contains(whole) else {
      throw failure(key, "a whole number from 1 to 1000000000", value)
    }
    return whole
  }
}

extension JSON {
  /// Null and empty texts, lists and objects: what exports write for a key that a row does not have.
  var isEmpty: Bool {
    switch self {
    case .null: true
    case .string(let text): text.isEmpty
    case .array(let items): items.isEmpty
    case .object(let members): members.isEmpty
    case .bool, .integer, .number: false
    }
  }
}
