// The files that data.train and data.validation name: a path, or a list of paths and mappings with a weight and a name.
import Files

/// A file of examples as a run file states it.
package struct DataFile: Sendable, Equatable {
  package var path = RunPath()
  /// How often an epoch takes each example.
  package var weight = 1.0
  /// Where its relative image paths start; absent: `data.image_root`.
  package var imageRoot: RunPath?
  /// What stands before the ids of its examples; nil where it is the only file.
  package var name: String?

  init() {}
  init(_ path: RunPath) { self.path = path }

  /// The file's name without its endings: `rows` of `data/rows.jsonl.gz`.
  fileprivate var defaultName: String {
    var name = path.resolved.utf8.split(separator: UInt8(ascii: "/")).last.map { Array($0) } ?? []
    for packed in [".gz", ".zst"]
    where name.count > packed.utf8.count && name.suffix(packed.utf8.count).elementsEqual(packed.utf8) {
      name.removeLast(packed.utf8.count)
    }
    if let dot = name.lastIndex(of: UInt8(ascii: ".")), dot > 0 { name.removeSubrange(dot...) }
    return String(decoding: name, as: UTF8.self)
  }
}

/// One file or several, in order.
package struct DataFiles: Sendable, Equatable {
  package var files: [DataFile] = []

  /// As the run file states them, with absolute paths: the path of one file, or the list.
  package var listing: String { isPlain ? files[0].path.resolved : yaml }

  /// Whether a path says it all.
  private var isPlain: Bool { files.count == 1 && files[0].weight == 1 && files[0].imageRoot == nil }
}

extension Accepted<String> {
  /// Names before ids: a colon ends one, and ids cannot hold a slash.
  static var fileNames: Accepted {
    Accepted(contains: isFileName, expectation: "a text of 1 to 100 bytes without : and / and control characters")
  }

  fileprivate static func isFileName(_ name: String) -> Bool {
    (1...100).contains(name.utf8.count)
      && !name.utf8.contains { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "/") }
  }
}

extension DataFiles: Value {
  static var expectation: String { "a path, or a list of paths and of {path, weight, image_root, name}" }

  init?(_ scalar: Scalar, folder: String) {
    guard let path = RunPath(scalar, folder: folder) else { return nil }
    files = [DataFile(path)]
  }

  init?(elements: [Tree], key: String, of reader: Reader) throws(RunFileError) {
    guard !elements.isEmpty else { return nil }
    for (index, element) in elements.enumerated() {
      if case .scalar(let scalar) = element.content, !scalar.isNull,
        let path = RunPath(scalar, folder: element.folder ?? reader.folder)
      {
        files.append(DataFile(path))
      } else {
        var file = DataFile()
        try reader.element(&file, from: element, of: key, at: index)
        files.append(file)
      }
    }
    // One file's examples keep the ids that they have.
    guard files.count > 1 else {
      files[0].name = nil
      return
    }
    var places: [ExactString: Int] = [:]
    for index in files.indices {
      let name = files[index].name ?? files[index].defaultName
      let here = dotted(reader.path + ["\(key)[\(index)]"])
      guard Accepted.isFileName(name) else {
        throw .conflict(
          place: elements[index].place, keys: [here],
          problem: "the file's name cannot stand before ids; give it a name without : and /")
      }
      if let other = places.updateValue(index, forKey: ExactString(name)) {
        throw .conflict(
          place: elements[index].place, keys: [here],
          problem: "the name \(quoted(name)) is that of \(key)[\(other)] too; give one of them another name")
      }
      files[index].name = name
    }
  }

  var yaml: String {
    guard !isPlain else { return files[0].path.yaml }
    let entries = files.map { file in
      let keys =
        ["path: \(file.path.yaml)", "weight: \(file.weight.yaml)"]
        + [file.imageRoot.map { "image_root: \($0.yaml)" }, file.name.map { "name: \($0.yaml)" }].compactMap(\.self)
      return "{\(keys.joined(separator: ", "))}"
    }
    return "[\(entries.joined(separator: ", "))]"
  }
}
