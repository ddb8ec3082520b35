// How the name of an image in an example becomes a place to read it from: paths, file: and data: URLs.
import Files
import Foundation

extension ImageSource {
  /// Reads a path (relative to `root`), a `file://` URL or a `data:image/...;base64,` URL.
  ///
  /// Throws `BadExample` for addresses that need a network: clusters are closed, and a run must not depend on a server.
  init(_ text: String, root: String) throws(BadExample) {
    let lower = text.prefix(16).lowercased()
    if lower.hasPrefix("data:") {
      self = .inline(try Self.decode(dataURL: text))
    } else if lower.hasPrefix("http://") || lower.hasPrefix("https://") {
      throw BadExample("image \(quoted(text)) is on a network; download it first and give its path")
    } else if lower.hasPrefix("file://") {
      self = .file(try Self.path(fileURL: text))
    } else if text.utf8.drop(while: { $0 != UInt8(ascii: ":") && $0 != UInt8(ascii: "/") }).starts(with: "://".utf8) {
      throw BadExample("image \(quoted(text)) has an unknown kind of address; give a path, a file:// or a data: URL")
    } else {
      self = .file(text.hasPrefix("/") ? text : root + "/" + text)
      if text.isEmpty { throw BadExample("an image's path is empty") }
    }
    if case .file(let path) = self, path.utf8.contains(0) {
      throw BadExample("image \(quoted(text)): a path cannot hold a zero byte")
    }
  }

  /// The absolute path of a `file://` URL without host.
  private static func path(fileURL: String) throws(BadExample) -> String {
    var rest = fileURL.dropFirst("file://".count)
    if rest.hasPrefix("localhost/") { rest = rest.dropFirst("localhost".count) }
    guard rest.hasPrefix("/"), let path = String(rest).removingPercentEncoding else {
      throw BadExample("image \(quoted(fileURL)): a file URL is file:///absolute/path, percent-encoded")
    }
    return path
  }

  /// The bytes of a base64 `data:` URL of an image.
  private static func decode(dataURL: String) throws(BadExample) -> [UInt8] {
    guard let comma = dataURL.utf8.firstIndex(of: UInt8(ascii: ",")) else {
      throw BadExample("image \(quoted(dataURL)): a data URL is data:image/png;base64,...")
    }
    let header = dataURL[..<comma].lowercased()
    guard header.hasPrefix("data:image/"), header.hasSuffix(";base64") else {
      throw BadExample("image \(quoted(header)): only data:image/...;base64 URLs are read")
    }
    let text = String(dataURL[dataURL.utf8.index(after: comma)...])
    guard let bytes = Data(base64Encoded: text), !bytes.isEmpty else {
      throw BadExample("image \(quoted(header)): its base64 is \(text.isEmpty ? "empty" : "broken")")
    }
    return [UInt8](bytes)
  }
}
