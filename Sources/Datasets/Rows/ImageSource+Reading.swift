// How an image of a row becomes a place to read it from and a size: paths, URLs, base64, and limits of its own.
import Files
import Foundation

extension ImageSource {
  /// Reads an entry of `images`: an address, or an object with one.
  static func listed(
    _ json: JSON, at place: String, root: ImageFolder, ignored: inout IgnoredKeys
  ) throws(BadExample) -> ImageSource {
    if case .string(let address) = json { return try ImageSource(address: address, root: root) }
    guard case .object = json else {
      throw BadExample("\(place): expected an address or an object with one, found \(json.shown)")
    }
    let object = try RowObject(json, .image, at: place, ignored: &ignored)
    for key in ["type", "text"] where object[key] != nil {
      throw BadExample("\(object.path(key)): belongs into a content part; take it out")
    }
    guard let image = try ImageSource(object, root: root) else {
      throw BadExample("\(place): has no address; give its \"path\"")
    }
    return image
  }

  /// The image of an object with an address; nil where it has none.
  init?(_ object: RowObject, root: ImageFolder) throws(BadExample) {
    guard let (key, value) = try object.one(of: RowKey.imageAddresses) else {
      for key in RowKey.imageSizes where object[key] != nil {
        throw BadExample("\(object.path(key)): needs the image's address in the same object")
      }
      return nil
    }
    var address = value
    if key == "image_url", case .object(let members) = value {
      address = members.first { $0.key.hasSameBytes(as: "url") }?.value ?? .null
      for member in members where !member.key.hasSameBytes(as: "url") {
        guard member.key.hasSameBytes(as: "detail") else {
          throw BadExample("\(object.path(key)): unknown key \(quoted(member.key)); keep \"url\"")
        }
        try Self.check(detail: member.value, at: object.path(key) + ".detail")
      }
    }
    try object["detail"].map { (detail) throws(BadExample) in try Self.check(detail: detail, at: object.path("detail"))
    }
    guard case .string(let text) = address else { throw object.failure(key, "an address", address) }
    if key == "base64", !text.utf8.starts(with: "data:".utf8) {
      self.init(.inline(try Self.decode(base64: text, name: "base64")))
    } else {
      try self.init(address: text, root: root)
    }
    requestedSize = try Self.requestedSize(object)
  }

  /// OpenAI's `detail` asks for another size of the image.
  private static func check(detail: JSON, at place: String) throws(BadExample) {
    guard [.null, .string("auto"), .string("high")].contains(detail) else {
      throw BadExample("\(place): \(detail.shown) is not read; take it out, or set min_pixels and max_pixels")
    }
  }

  private static func requestedSize(_ object: RowObject) throws(BadExample) -> RequestedSize? {
    let limits = (least: try object.positiveInteger("min_pixels"), most: try object.positiveInteger("max_pixels"))
    let sides = (
      height: try object.positiveInteger("resized_height"), width: try object.positiveInteger("resized_width")
    )
    switch sides {
    case (nil, nil): break
    case (let height?, let width?):
      guard max(height, width) <= 1 << 20 else {
        throw BadExample("\(object.place): resized_height \(height) and resized_width \(width) are too large")
      }
      return .sides(height: height, width: width)
    default: throw BadExample("\(object.place): needs resized_height and resized_width together")
    }
    if let least = limits.least, let most = limits.most, least > most {
      throw BadExample("\(object.path("min_pixels")): \(least) is more than max_pixels \(most)")
    }
    return limits.least == nil && limits.most == nil ? nil : .limits(minPixels: limits.least, maxPixels: limits.most)
  }

  /// Reads a path (relative to `root`, and in it where it confines), a `file://` URL or a `data:image...;base64,` URL.
  ///
  /// Throws `BadExample` for addresses that need a network: clusters are closed, and a run must not depend on a server.
  init(address text: String, root: ImageFolder) throws(BadExample) {
    let lower = text.prefix(16).lowercased()
    if lower.hasPrefix("data:") {
      self.init(.inline(try Self.decode(dataURL: text)))
      return
    }
    if lower.hasPrefix("http://") || lower.hasPrefix("https://") {
      throw BadExample("image \(quoted(text)) is on a network; download it first and give its path")
    }
    if let container = root.container {
      guard let image = container.image(named: text) else {
        throw BadExample("image \(quoted(text)) \(type(of: container).absence)")
      }
      self.init(.packed(image))
      return
    }
    let path: String
    if lower.hasPrefix("file://") {
      path = try Self.path(fileURL: text)
    } else if text.utf8.drop(while: { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") }).starts(with: "://".utf8) {
      throw BadExample("image \(quoted(text)) has an unknown kind of address; give a path, a file:// or a data: URL")
    } else {
      if text.isEmpty { throw BadExample("an image's path is empty") }
      path = text.utf8.first == UInt8(ascii: "/") ? text : root.path + "/" + text
    }
    if path.utf8.contains(0) { throw BadExample("image \(quoted(text)): a path cannot hold a zero byte") }
    try root.check(path, written: text)
    root.note(text, path)
    self.init(.file(ExactString(path)))
  }

  /// The absolute path of a `file://` URL without host: percent-decoded, or as it is written where only that exists,
  /// since many programs write and read `file://` before a plain path.
  private static func path(fileURL: String) throws(BadExample) -> String {
    var rest = fileURL.dropFirst("file://".count)
    if rest.hasPrefix("localhost/") { rest = rest.dropFirst("localhost".count) }
    guard rest.utf8.first == UInt8(ascii: "/") else {
      throw BadExample("image \(quoted(fileURL)): a file URL is file:///absolute/path")
    }
    let written = String(rest)
    guard written.utf8.contains(UInt8(ascii: "%")) else { return written }
    guard let decoded = written.removingPercentEncoding else { return written }
    let files = FileManager.default
    return !files.fileExists(atPath: decoded) && files.fileExists(atPath: written) ? written : decoded
  }

  /// The bytes of a base64 `data:image` URL, with or without a subtype.
  private static func decode(dataURL: String) throws(BadExample) -> [UInt8] {
    guard let comma = dataURL.utf8.firstIndex(of: UInt8(ascii: ",")) else {
      throw BadExample("image \(quoted(dataURL)): a data URL is data:image/png;base64,...")
    }
    let header = dataURL[..<comma].lowercased()
    guard header.hasPrefix("data:image"), header.hasSuffix(";base64") else {
      throw BadExample("image \(quoted(header)): only data:image...;base64 URLs are read")
    }
    return try decode(base64: String(dataURL[dataURL.utf8.index(after: comma)...]), name: header)
  }

  /// Bytes in base64, which may be broken into lines (RFC 2045).
  private static func decode(base64 text: String, name: String) throws(BadExample) -> [UInt8] {
    let blanks: [UInt8] = [0x20, 0x09, 0x0A, 0x0D]
    let letters =
      text.utf8.contains(where: blanks.contains) ? Data(text.utf8.filter { !blanks.contains($0) }) : Data(text.utf8)
    guard let bytes = Data(base64Encoded: letters), !bytes.isEmpty else {
      throw BadExample("image \(quoted(name)): its base64 is \(letters.isEmpty ? "empty" : "broken")")
    }
    return [UInt8](bytes)
  }
}
