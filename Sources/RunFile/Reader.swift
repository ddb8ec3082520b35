// Reads each key's value from the tree of a run file.

/// Reads each key's value from the tree.
struct Reader: Visitor {
  typealias Failure = RunFileError
  let file: String
  let folder: String
  var tree: Tree
  var path: [String] = []

  mutating func section<S: Section>(_ key: String, _ section: inout S) throws(RunFileError) {
    let parent = tree
    let child = parent.entries?.first { $0.key == key }?.value ?? Tree(place: file, content: .mapping([]))
    (tree, path) = (child, path + [key])
    guard child.entries != nil else {
      throw .value(place: child.place, key: dotted(path), value: child.summary, expected: "a section of keys")
    }
    try section.visit(&self)
    tree = parent
    path.removeLast()
  }

  mutating func field<V: Value>(
    _ key: String, _ value: inout V, _ accepted: Accepted<V>, _ effect: Effect
  ) throws(RunFileError) {
    if let given = try read(key, accepted) {
      value = given
    } else if accepted.isRequired {
      throw .missing(file: file, key: dotted(path + [key]), expected: accepted.expectation)
    } else if let absent = accepted.absent.flatMap({ V(Scalar(text: $0, quoted: true), folder: folder) }) {
      value = absent
    }
  }

  mutating func field<V: Value>(
    _ key: String, _ value: inout V?, _ accepted: Accepted<V>, _ effect: Effect
  ) throws(RunFileError) {
    value = try read(key, accepted) ?? value
  }

  /// The value of a key; nil where it is absent or null.
  private func read<V: Value>(_ key: String, _ accepted: Accepted<V>) throws(RunFileError) -> V? {
    guard let node = tree.entries?.first(where: { $0.key == key })?.value else { return nil }
    let folder = node.folder ?? folder
    if case .scalar(let scalar) = node.content {
      if scalar.isNull { return nil }
      if let value = V(scalar, folder: folder), accepted.contains(value) { return value }
    }
    if case .list(let elements) = node.content, let value = try V(elements: elements, key: key, of: self),
      accepted.contains(value)
    {
      return value
    }
    if case .mapping(let entries) = node.content {
      let scalars = entries.compactMap { (entry) -> (key: String, value: Scalar)? in
        if case .scalar(let scalar) = entry.value.content { (entry.key, scalar) } else { nil }
      }
      let given = scalars.filter { !$0.value.isNull }
      if scalars.count == entries.count, given.isEmpty { return nil }
      if scalars.count == entries.count, let value = V(mapping: given), accepted.contains(value) { return value }
    }
    throw .value(
      place: node.place, key: dotted(path + [key]), value: node.summary, expected: accepted.expectation)
  }

  /// Reads a section that is an element of a key's list.
  func element<S: Section>(_ section: inout S, from tree: Tree, of key: String, at index: Int) throws(RunFileError) {
    let path = path + ["\(key)[\(index)]"]
    guard case .mapping = tree.content else {
      throw .value(place: tree.place, key: dotted(path), value: tree.summary, expected: "a path or a mapping of keys")
    }
    try KnownKeys(of: section, at: path).check(tree, at: path)
    var reader = Reader(file: tree.place, folder: tree.folder ?? folder, tree: tree, path: path)
    try section.visit(&reader)
  }
}
