// A run file as a tree of keys and scalars, each with the place that it came from; overrides are set into it.
import Files

/// A value of the run file before its type is known.
struct Tree: Equatable {
  struct Entry: Equatable {
    let key: String
    /// Of the key, for messages.
    let place: String
    var value: Tree
  }
  enum Content: Equatable {
    case scalar(Scalar)
    case mapping([Entry])
    case list([Tree])
  }
  let place: String
  var content: Content
  /// Where relative paths in it start; nil: in the run file's folder.
  var folder: String?

  /// The same, relative paths starting elsewhere.
  func paths(from folder: String) -> Tree {
    var tree = self
    tree.folder = folder
    switch content {
    case .scalar: break
    case .mapping(let entries):
      tree.content = .mapping(
        entries.map { Entry(key: $0.key, place: $0.place, value: $0.value.paths(from: folder)) })
    case .list(let elements): tree.content = .list(elements.map { $0.paths(from: folder) })
    }
    return tree
  }

  /// Its keys; none where it is null; nil where it is something else.
  var entries: [Entry]? {
    switch content {
    case .mapping(let entries): entries
    case .scalar(let scalar) where scalar.isNull: []
    case .scalar, .list: nil
    }
  }

  /// The value as it is shown in messages.
  var summary: String {
    switch content {
    case .scalar(let scalar): scalar.isNull ? "null" : scalar.quoted ? quoted(scalar.text) : plain(scalar.text)
    case .mapping: "a mapping"
    case .list: "a list"
    }
  }

  /// Whether a key is there with a value.
  func gives(_ path: [String]) -> Bool {
    guard let first = path.first else {
      if case .scalar(let scalar) = content { return !scalar.isNull }
      return true
    }
    return entries?.first { $0.key == first }?.value.gives(Array(path.dropFirst())) ?? false
  }

  /// The value of a key, nil where it is not there.
  func value(of path: [String]) -> Tree? {
    guard let first = path.first else { return self }
    return entries?.first { $0.key == first }?.value.value(of: Array(path.dropFirst()))
  }

  /// The place of a key, or the tree's own.
  func place(of path: [String]) -> String {
    guard let first = path.first, let entry = entries?.first(where: { $0.key == first }) else { return place }
    return path.count == 1 ? entry.place : entry.value.place(of: Array(path.dropFirst()))
  }

  /// Sets the value of a key, making the sections on its way; false where one of them is no section.
  mutating func set(_ path: ArraySlice<String>, to value: Tree) -> Bool {
    guard let key = path.first else {
      self = value
      return true
    }
    guard var entries else { return false }
    let index = entries.firstIndex { $0.key == key } ?? entries.count
    if index == entries.count {
      entries.append(Entry(key: key, place: value.place, value: Tree(place: value.place, content: .mapping([]))))
    }
    var child = entries[index].value
    guard child.set(path.dropFirst(), to: value) else { return false }
    entries[index] = Entry(key: key, place: path.count == 1 ? value.place : entries[index].place, value: child)
    content = .mapping(entries)
    return true
  }
}

/// A text as it is where nothing in it needs quotes, else quoted.
func plain(_ text: String) -> String {
  let escaped = quoted(text)
  return escaped.utf8.count == text.utf8.count + 2 ? text : escaped
}
