// Where images of rows are looked for: the folder that their paths start from, or the pack that the rows came from.
import Files
import Glibc

/// Where a relative path of an image starts, and a check of where each image's file lies.
final class ImageFolder {
  /// As it was given.
  let path: String
  /// The file that the rows come from, where their images are in it too.
  let container: (any ImageContainer)?
  /// Addresses as rows write them and the paths that they name, each once, in the order of their first use; nil where
  /// nobody asks.
  private(set) var found: [(name: String, path: String)]?
  private var names: Set<ExactString> = []
  /// The folder's resolved path that images must lie in; nil where they may lie anywhere.
  private let bounds: ExactString?
  /// Folders of images that were seen, each resolved once: a data set has few folders and many images.
  private var resolved: [ExactString: ExactString] = [:]
  /// The path that was checked last; rows about one image often follow each other.
  private var latest: ExactString?

  init(_ path: String, confined: Bool, container: (any ImageContainer)? = nil, collects: Bool = false) {
    (self.path, self.container) = (path, container)
    bounds = confined ? Self.resolve(path) : nil
    found = collects ? [] : nil
  }

  /// Keeps an address that a row writes, if someone asks for them.
  func note(_ written: String, _ path: String) {
    guard found != nil, names.insert(ExactString(written)).inserted else { return }
    found?.append((written, path))
  }

  /// Throws for a file outside of the folder once symbolic links and `..` are resolved. A file that is not there is
  /// taken where its name says; reading it fails later.
  /// - Parameters:
  ///   - file: a path, absolute or relative to the process.
  ///   - written: the image as its row writes it.
  func check(_ file: String, written: String) throws(BadExample) {
    guard let bounds, latest != ExactString(file) else { return }
    guard Self.lies(place(of: file), in: bounds) else {
      throw BadExample(
        "image \(quoted(written)) lies outside of data.image_root (\(quoted(bounds.text))); "
          + "move it there, or set data.allow_outside: true")
    }
    latest = ExactString(file)
  }

  /// Where a file lies, by its folder and, where it is a link itself, by what it points at.
  private func place(of file: String) -> ExactString {
    let bytes = Array(file.utf8)
    let slash = bytes.lastIndex(of: UInt8(ascii: "/"))
    let name = bytes[(slash.map { $0 + 1 } ?? 0)...]
    // An entry that is no name of its own, or a link (of any other file readlink says that it is none).
    var target: CChar = 0
    if name.isEmpty || name.elementsEqual(".".utf8) || name.elementsEqual("..".utf8)
      || readlink(file, &target, 1) >= 0
    {
      return Self.resolve(file)
    }
    let folder = ExactString(slash.map { String(decoding: bytes[...$0], as: UTF8.self) } ?? ".")
    let place = resolved[folder] ?? Self.resolve(folder.text)
    resolved[folder] = place
    return ExactString(place.text + "/" + String(decoding: name, as: UTF8.self))
  }

  private static func lies(_ place: ExactString, in folder: ExactString) -> Bool {
    let (place, folder) = (place.text.utf8, folder.text.utf8)
    guard place.starts(with: folder) else { return false }
    // "/" alone ends with the separator.
    let rest = place.dropFirst(folder.count)
    return rest.isEmpty || rest.first == UInt8(ascii: "/") || folder.last == UInt8(ascii: "/")
  }

  /// The absolute path without links and `..`; of what is not there, by its name alone. A path that is too long to be
  /// opened stays as it is.
  private static func resolve(_ path: String) -> ExactString {
    guard path.utf8.count < PATH_MAX else { return ExactString(path) }
    if let real = realpath(path, nil) {
      defer { free(real) }
      return ExactString(String(cString: real))
    }
    // The nearest folder that is there may be reached by links.
    let bytes = Array(path.utf8)
    guard let slash = bytes.lastIndex(of: UInt8(ascii: "/")), slash > 0 else {
      return path.utf8.first == UInt8(ascii: "/") ? ExactString(path) : below(resolve("."), path)
    }
    return below(
      resolve(String(decoding: bytes[..<slash], as: UTF8.self)), String(decoding: bytes[(slash + 1)...], as: UTF8.self))
  }

  private static func below(_ folder: ExactString, _ name: String) -> ExactString {
    let root = folder.text.hasSameBytes(as: "/") ? "" : folder.text
    switch name {
    case "", ".": return folder
    case "..":
      let parent = root.utf8.prefix(upTo: root.utf8.lastIndex(of: UInt8(ascii: "/")) ?? root.utf8.startIndex)
      return ExactString(parent.isEmpty ? "/" : String(decoding: parent, as: UTF8.self))
    default: return ExactString(root + "/" + name)
    }
  }
}
