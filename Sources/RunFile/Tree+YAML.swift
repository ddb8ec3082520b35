// Composes YAML into a tree through Yams, within bounds that hostile text cannot pass.
import Files
import Yams

extension Tree {
  /// A run file has three levels; what has more than this is none.
  private static let maxDepth = 8

  /// Composes one document; `whole` is its place, `place` that of a line and a column in it.
  init(yaml: String, whole: String, place: (_ line: Int, _ column: Int) -> String) throws(RunFileError) {
    if let name = Self.aliasedAnchor(in: yaml) {
      throw .syntax(place: whole, problem: "&\(name) with *\(name): anchors are not read; write the value out")
    }
    let node: Node?
    do {
      node = try Yams.compose(yaml: yaml, .default, .default, .utf8)
    } catch {
      throw Self.judge(error, whole: whole, place: place)
    }
    self =
      try node.map { (node) throws(RunFileError) in try Self(node, level: 0, place: place) }
      ?? Tree(place: whole, content: .scalar(Scalar(text: "", quoted: false)))
  }

  private init(_ node: Node, level: Int, place: (Int, Int) -> String) throws(RunFileError) {
    let here = node.mark.map { place($0.line, $0.column) } ?? place(1, 1)
    guard level <= Self.maxDepth else { throw .syntax(place: here, problem: "more levels than a run file has") }
    switch node {
    case .scalar(let scalar):
      let styles: [Node.Scalar.Style] = [.singleQuoted, .doubleQuoted, .literal, .folded]
      let tag = try Self.tag(scalar.tag, at: here)
      let value = Scalar(text: scalar.string, quoted: tag == .string || styles.contains(scalar.style))
      self.init(place: here, content: .scalar(value))
    case .mapping(let mapping):
      _ = try Self.tag(mapping.tag, at: here)
      var entries: [Entry] = []
      var names: Set<String> = []
      for (key, value) in mapping {
        let keyPlace = key.mark.map { place($0.line, $0.column) } ?? here
        guard let name = key.scalar?.string else { throw .syntax(place: keyPlace, problem: "a key must be a name") }
        guard names.insert(name).inserted else { throw .duplicateKey(place: keyPlace, key: plain(name)) }
        entries.append(Entry(key: name, place: keyPlace, value: try Self(value, level: level + 1, place: place)))
      }
      self.init(place: here, content: .mapping(entries))
    case .sequence(let sequence):
      _ = try Self.tag(sequence.tag, at: here)
      var elements: [Tree] = []
      for element in sequence { elements.append(try Self(element, level: level + 1, place: place)) }
      self.init(place: here, content: .list(elements))
    case .alias:
      self.init(place: here, content: .list([]))
    }
  }

  private enum TagKind { case none, string }

  /// Types follow from the keys; a tag that asks for another one is refused.
  private static func tag(_ tag: Tag, at place: String) throws(RunFileError) -> TagKind {
    switch tag.description {
    case Tag.Name.implicit.rawValue: return .none
    case Tag.Name.str.rawValue: return .string
    default: throw .syntax(place: place, problem: "the tag \(quoted(tag.description)) is not read; leave it out")
    }
  }

  /// A name that follows an `&` and also a `*`, anywhere in the text.
  ///
  /// Composing compares keys, and a key of nested aliases would take exponential time; so aliases are looked for
  /// before, in the bare text, where none can hide: one is written with both signs.
  private static func aliasedAnchor(in yaml: String) -> String? {
    func isName(_ byte: UInt8) -> Bool {
      switch UnicodeScalar(byte) {
      case "0"..."9", "A"..."Z", "a"..."z", "_", "-": true
      default: false
      }
    }
    var names: [UInt8: Set<String>] = [:]
    let bytes = Array(yaml.utf8)
    for (index, sign) in bytes.enumerated() where sign == UInt8(ascii: "&") || sign == UInt8(ascii: "*") {
      let name = bytes[(index + 1)...].prefix(while: isName)
      if !name.isEmpty { names[sign, default: []].insert(String(decoding: name, as: UTF8.self)) }
    }
    return (names[UInt8(ascii: "&")] ?? []).intersection(names[UInt8(ascii: "*")] ?? []).min()
  }

  private static func judge(
    _ error: any Error, whole: String, place: (Int, Int) -> String
  ) -> RunFileError {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      let words = [context?.text, problem].compactMap(\.self).joined(separator: ", ")
      return .syntax(place: place(mark.line, mark.column), problem: "not YAML: \(words)")
    case YamlError.duplicatedKeysInMapping(let keys, let context):
      return .duplicateKey(place: place(context.mark.line, context.mark.column), key: plain(keys.first ?? ""))
    case YamlError.reader(let problem, _, _, _):
      return .syntax(place: whole, problem: "not YAML: \(problem)")
    default:
      return .syntax(place: whole, problem: "not YAML")
    }
  }
}
