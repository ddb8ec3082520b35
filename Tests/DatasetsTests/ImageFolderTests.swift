// Images of rows lie in the images' folder, by whatever path, link or URL a row names them.
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Where images may lie")
struct ImageFolderTests {
  /// root/images (with in.png, a link in.png -> and links out of it), root/other/out.png, and a link to root/images.
  private let folder: TemporaryFolder
  private var root: String { folder.path("images") }

  init() throws {
    folder = try TemporaryFolder()
    let files = FileManager.default
    for name in ["images/deep", "other", "images-2"] {
      try files.createDirectory(atPath: folder.path(name), withIntermediateDirectories: true)
    }
    for name in ["images/in.png", "images/deep/in.png", "other/out.png", "images-2/out.png"] {
      try folder.write(name, [1])
    }
    for (name, target) in [
      ("images/link-in.png", "deep/in.png"), ("images/link-out.png", "../other/out.png"),
      ("images/folder-out", "../other"), ("images/dangling.png", "../other/none.png"), ("alias", "images"),
    ] {
      try files.createSymbolicLink(atPath: folder.path(name), withDestinationPath: target)
    }
  }

  /// Why a row with the image is no example.
  private func reason(_ image: String, root: String? = nil, confined: Bool = true) throws -> String? {
    let row: [String: Any] = [
      "id": "a", "images": [image],
      "messages": [["role": "user", "content": "<image>?"], ["role": "assistant", "content": "x"]],
    ]
    let reader = ExampleReader(imageRoot: root ?? self.root, confined: confined, policy: .skip)
    do {
      return try reader.read(JSONSerialization.data(withJSONObject: row), name: "f").problems.first?.reason
    } catch DatasetError.empty(_, let problems) {
      return problems.first?.reason
    }
  }

  @Test("inside: relative, absolute, by URL, through links and back, not there yet, and inside a row")
  func inside() throws {
    for image in [
      "in.png", "deep/../in.png", "deep/in.png", "./in.png", "link-in.png", "none.png", "none/none.png",
      "../images/in.png", "none/../in.png", "dangling.png", "folder-out/../images/in.png", folder.path("images/in.png"),
      folder.path("alias/in.png"), "file://" + folder.path("images/in.png"),
      "file://" + folder.path("images/deep/%69n.png"), "data:image/png;base64,AAAA",
    ] {
      #expect(try reason(image) == nil, "\(image)")
      #expect(try reason(image, root: folder.path("alias")) == nil, "\(image), the folder by a link")
    }
    #expect(try reason("/etc/hostname", root: "/") == nil)
  }

  @Test("outside: by .., by absolute paths and URLs, by links of files and folders, and where nothing is")
  func outside() throws {
    for image in [
      "../other/out.png", "deep/../../other/out.png", "link-out.png", "folder-out/out.png",
      "../images-2/out.png", "../images-2", "..", "none/../../other/none.png", folder.path("other/out.png"),
      folder.path("alias/../other/out.png"), "file://" + folder.path("other/out.png"),
      "file://" + folder.path("images/..%2Fother/out.png"), "/etc/hostname", "/nowhere/at/all.png",
    ] {
      let found = try #require(try reason(image), "\(image)")
      #expect(found.contains("lies outside of data.image_root"), "\(image): \(found)")
      #expect(found.contains("data.allow_outside: true"), "\(found)")
      #expect(try reason(image, confined: false) == nil, "\(image)")
    }
  }

  @Test("hostile paths end, and many images of few folders are fast")
  func cost() throws {
    #expect(try reason("none/" + String(repeating: "a/", count: 400_000) + "b.png") == nil)
    let place = ImageFolder(root, confined: true)
    let start = ContinuousClock.now
    for index in 0..<100_000 { try place.check("\(root)/deep/\(index).png", written: "") }
    #expect(ContinuousClock.now - start < .seconds(5), "a hundred thousand images")
  }
}
