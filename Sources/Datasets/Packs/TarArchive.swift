// A tar archive of rows and their images in WebDataset's naming: `KEY.json` beside `KEY.png`, `KEY.0.jpg`.
import Files

/// An open archive. Its list of members stays in memory, its images in the file.
final class TarArchive: ImageContainer {
  private static let blockBytes = 512
  /// As of a loose image, and of a row.
  private static let (maximumImageBytes, maximumRowBytes) = (1 << 30, 64 << 20)
  private static let imageEndings = ["png", "jpg", "jpeg", "webp", "gif", "bmp", "tif", "tiff"]

  /// A regular file of the archive.
  private struct Member {
    let name: String
    let place: Range<Int>

    /// The name's folder and what stands before the first dot of its last part, and what stands behind it.
    var key: String { String(decoding: name.utf8.prefix(dot), as: UTF8.self) }
    var ending: String { String(decoding: name.utf8.dropFirst(dot + 1), as: UTF8.self).lowercased() }
    private var dot: Int {
      let bytes = Array(name.utf8)
      let start = bytes.lastIndex(of: UInt8(ascii: "/")).map { $0 + 1 } ?? 0
      return bytes[start...].firstIndex(of: UInt8(ascii: ".")) ?? bytes.count
    }
    var isImage: Bool { TarArchive.imageEndings.contains { ending == $0 || ending.hasSuffix("." + $0) } }
  }

  let path: String
  var contentDigest: String? { nil }
  private let file: OpenFile
  private let members: [Member]
  private let numbers: [ExactString: Int]

  /// Whether a file begins with the header of a tar archive (POSIX or GNU).
  static func isTar(_ path: String) -> Bool {
    guard let file = try? OpenFile(path), let bytes = try? file.read(0..<blockBytes) else { return false }
    return isHeader(bytes)
  }

  static func isHeader(_ bytes: some Collection<UInt8>) -> Bool { bytes.dropFirst(257).starts(with: "ustar".utf8) }

  /// Opens an archive and gathers its rows into a JSON array.
  /// - Throws: `FileError` for a damaged archive, members that are no files, and one without rows.
  static func open(_ path: String) throws(FileError) -> (archive: TarArchive, rows: [UInt8]) {
    let archive = try TarArchive(path)
    return (archive, try archive.rows())
  }

  private init(_ path: String) throws(FileError) {
    self.path = path
    file = try OpenFile(path)
    var headers = TarHeaders(file: file)
    var (members, numbers): ([Member], [ExactString: Int]) = ([], [:])
    while let (name, place) = try headers.next() {
      guard numbers.updateValue(members.count, forKey: ExactString(name)) == nil else {
        throw FileError(path, "has two members of the name \(quoted(name))", remedy: "write the archive again")
      }
      members.append(Member(name: name, place: place))
    }
    (self.members, self.numbers) = (members, numbers)
  }

  /// The rows as elements of one array, in the archive's order. One without an id is named by its key, one that lists
  /// no images has those of its key.
  private func rows() throws(FileError) -> [UInt8] {
    var images: [ExactString: [String]] = [:]
    for member in members where member.isImage { images[ExactString(member.key), default: []].append(member.name) }
    var text = Array("[".utf8)
    for member in members where member.ending == "json" {
      guard member.place.count <= Self.maximumRowBytes else {
        throw FileError(path, "\(quoted(member.name)) has more than \(Self.maximumRowBytes) bytes, too many for a row")
      }
      if text.count > 1 { text += ",\n".utf8 }
      text += Self.row(try file.read(member.place), key: member.key, images: images[ExactString(member.key)] ?? [])
    }
    guard text.count > 1 else {
      throw FileError(
        path, "is a tar archive without rows",
        remedy: "give each sample a member KEY.json with its row, beside its images KEY.png or KEY.0.jpg")
    }
    return text + "]".utf8
  }

  /// What is no object is left as it is: the row is bad then.
  private static func row(_ bytes: [UInt8], key: String, images: [String]) -> [UInt8] {
    let blanks: [UInt8] = [0x20, 0x09, 0x0D, 0x0A]
    guard let json = try? JSON(parsing: bytes), case .object(let members) = json,
      let open = bytes.firstIndex(where: { !blanks.contains($0) }), bytes[open] == UInt8(ascii: "{")
    else { return bytes.isEmpty ? Array("null".utf8) : bytes }
    func gives(_ names: String...) -> Bool {
      members.contains { member in member.value != .null && names.contains { member.key.hasSameBytes(as: $0) } }
    }
    var added: [String] = []
    if !gives("id") { added.append("\"id\": \(JSON.string(Example.withoutSlashes(key)).canonical)") }
    if !gives("images", "image"), !images.isEmpty {
      added.append("\"images\": \(JSON.array(images.map(JSON.string)).canonical)")
    }
    // A key of value null counts as absent, and must not come a second time.
    let absent = members.filter { $0.value == .null }.map(\.key)
    let rest =
      added.isEmpty || absent.isEmpty
      ? Array(bytes[(open + 1)...])
      : Array(JSON.object(members.filter { $0.value != .null }).canonical.utf8.dropFirst())
    let comma = added.isEmpty || members.allSatisfy { $0.value == .null } ? "" : ", "
    return Array("{".utf8) + Array((added.joined(separator: ", ") + comma).utf8) + rest
  }

  // MARK: - Images

  static let absence = "is no member of the archive; write it again with the image"
  func name(_ number: Int) -> String { members[number].name }
  func place(_ number: Int) -> Range<Int> { members[number].place }
  func statedDigest(_ number: Int) -> String? { nil }
  func read(_ place: Range<Int>) throws(FileError) -> [UInt8] {
    guard place.count <= Self.maximumImageBytes else {
      throw FileError(path, "an image has \(place.count) bytes, the limit is \(Self.maximumImageBytes)")
    }
    return try file.read(place)
  }
  func image(named name: String) -> PackedImage? {
    numbers[ExactString(name)].map { PackedImage(container: self, number: $0) }
  }
}
