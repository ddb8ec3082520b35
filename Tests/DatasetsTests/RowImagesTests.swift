// Images of rows in the forms that data sets have: parts with an address, limits of their own, URLs, Unicode names.
import Files
import Foundation
import Testing

@testable import Datasets

private func images(_ content: String, listed: String = "") throws -> [ImageSource] {
  let line = #"{"id":"a"\#(listed),"messages":[{"role":"user","content":\#(content)}]}"#
  return try #require(read(line).examples.first, "\(read(line).problems)").images
}

private func refusal(_ content: String, listed: String = "") -> String? {
  reason(#"{"id":"a"\#(listed),"messages":[{"role":"user","content":\#(content)}]}"#)
}

@Suite("Images of rows")
struct RowImagesTests {
  @Test(
    "an image's address may have any of its names, in a part or in the list",
    arguments: ["image", "path", "url", "image_url"])
  func addresses(key: String) throws {
    #expect(try images(#"[{"type":"image","\#(key)":"b.png"}]"#) == [.file("/images/b.png")])
    #expect(try images(#"[{"type":"image_url","\#(key)":"b.png"}]"#) == [.file("/images/b.png")])
    #expect(
      try images(#""<image>""#, listed: #","images":[{"\#(key)":"b.png","bytes":null}]"#) == [.file("/images/b.png")])
    #expect(try images(#""<image>""#, listed: #","image":{"\#(key)":"b.png"}"#) == [.file("/images/b.png")])
  }

  @Test("the bytes alone, and data URLs of every form, in one line or several")
  func inline() throws {
    let bytes = ImageSource.inline([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
    let text = "iVBORw0KGgo="
    for address in [
      #""base64":"\#(text)""#, #""base64":"iVBOR\nw0K\r\nGgo=\n""#, #""base64":"data:image/png;base64,\#(text)""#,
      #""image":"data:image;base64,\#(text)""#, #""url":"data:image/jpeg;charset=x;base64,\#(text)""#,
      #""image":"DATA:image/png;base64,iVBORw\n0KGgo=""#,
    ] {
      #expect(try images("[{\"type\":\"image\",\(address)}]") == [bytes], "\(address)")
    }
    #expect(refusal(#"[{"type":"image","base64":"@@"}]"#) == #"image "base64": its base64 is broken"#)
    #expect(refusal(#"[{"type":"image","base64":" \n"}]"#) == #"image "base64": its base64 is empty"#)
    #expect(
      refusal(#"[{"type":"image","url":"data:video/mp4;base64,AAAA"}]"#)?.contains("only data:image...;base64") == true)
  }

  @Test("two addresses, an address without place, and keys that a part does not read are refused")
  func contradictions() {
    #expect(
      refusal(#"[{"type":"image","path":"b.png","url":"c.png"}]"#)
        == #"messages[0].content[0]: has both "path" and "url"; keep one"#)
    #expect(
      refusal(#"[{"type":"image","path":"b.png"}]"#, listed: #","images":["a.png"]"#)?.contains("0 <image> but 1")
        == true)
    #expect(
      refusal(#"[{"type":"text","text":"q","image":"a.png"}]"#)?.contains("not read in a part of type text") == true)
    #expect(refusal(#"[{"type":"image","path":"a.png","text":"q"}]"#)?.contains("make two parts") == true)
    #expect(
      refusal(#"[{"type":"image","min_pixels":9}]"#, listed: #","images":["a.png"]"#)?.contains(
        "needs the image's address") == true)
    #expect(
      refusal(#"[{"type":"image_url","image_url":{"url":"a.png","detail":"low"}}]"#)?.contains(
        "detail: \"low\" is not read") == true)
  }

  @Test("an image's own limits and sides")
  func sizes() throws {
    func size(_ keys: String) throws -> RequestedSize? {
      try images(#"[{"type":"image","image":"a.png",\#(keys)}]"#).first?.requestedSize
    }
    #expect(try size(#""resized_height":280,"resized_width":420"#) == .sides(height: 280, width: 420))
    #expect(try size(#""min_pixels":50176,"max_pixels":100352"#) == .limits(minPixels: 50176, maxPixels: 100352))
    #expect(try size(#""max_pixels":100352.0"#) == .limits(minPixels: nil, maxPixels: 100352))
    #expect(
      try size(#""min_pixels":1,"resized_height":280,"resized_width":420"#) == .sides(height: 280, width: 420))
    #expect(try size(#""min_pixels":null"#) == nil)
    for bad in [
      #""resized_height":280"#, #""min_pixels":0"#, #""max_pixels":"big""#, #""min_pixels":9,"max_pixels":8"#,
    ] {
      #expect(refusal(#"[{"type":"image","image":"a.png",\#(bad)}]"#) != nil, "\(bad)")
    }
  }

  @Test("a file URL is decoded, or literal where only that file exists")
  func fileURLs() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("urls-\(UUID())").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    func path(_ name: String) throws -> [ImageSource] {
      try images(#"[{"type":"image","image":"file://\#(folder)/\#(name)"}]"#)
    }
    #expect(try path("a%20b.png") == [.file(folder + "/a b.png")])
    try Data([1]).write(to: URL(fileURLWithPath: folder + "/a%20b.png"))
    #expect(try path("a%20b.png") == [.file(folder + "/a%20b.png")])
    try Data([1]).write(to: URL(fileURLWithPath: folder + "/a b.png"))
    #expect(try path("a%20b.png") == [.file(folder + "/a b.png")])
    #expect(try path("100%.png") == [.file(folder + "/100%.png")])
  }

  @Test("names and ids in two Unicode forms are two")
  func unicodeForms() throws {
    let (composed, decomposed) = ("caf\u{E9}", "cafe\u{301}")
    let sources = try images(#""<image><image>""#, listed: #","images":["\#(composed).png","\#(decomposed).png"]"#)
    #expect(sources[0] != sources[1] && Set(sources).count == 2)
    let examples = sources.map { Example(id: "x", line: 1, images: [$0], messages: []) }
    #expect(Set(imageKeys(of: examples)).count == 2)
    let rows = [composed, decomposed, "\u{212B}", "\u{C5}"].map {
      #"{"id":"\#($0)","messages":[{"role":"user","content":"q"}]}"#
    }
    #expect(read(rows.joined(separator: "\n")).examples.count == 4)
  }
}

@Suite("Files that are one JSON array, and ids of lines")
struct ArrayAndIDTests {
  private func row(_ id: String) -> String { #"{"id":"\#(id)","messages":[{"role":"user","content":"u, ]\"[{"}]}"# }

  @Test(
    "an array gives the examples of its elements, at the lines where they begin", arguments: ["", "\u{FEFF}", " \n"])
  func array(prefix: String) throws {
    let lines = try ExampleReader().read(Data((row("a") + "\n" + row("b")).utf8), name: "f")
    let array = try ExampleReader().read(
      Data((prefix + "[\n" + row("a") + ",\n\n " + row("b") + "]\n").utf8), name: "f")
    #expect(array.examples.map(\.id) == ["a", "b"] && array.digest == lines.digest)
    #expect(array.examples.map(\.line) == (prefix == " \n" ? [3, 5] : [2, 4]))
    let unnamed = #"[{"messages":[{"role":"user","content":"u"}]},{"messages":[{"role":"user","content":"v"}]}]"#
    #expect(read(unnamed).examples.map(\.id) == ["element-1", "element-2"])
  }

  @Test("a pretty-printed array is read like one line of it")
  func pretty() throws {
    let text = """
      [
        {
          "id": "1",
          "image": "a.png",
          "conversations": [
            { "from": "human", "value": "<image>\\nQ" },
            { "from": "gpt", "value": "R" }
          ]
        },
        { "id": "2", "conversations": [ { "from": "human", "value": "Q" } ] }
      ]
      """
    #expect(read(text).examples.map(\.line) == [2, 10] && read(text).problems.isEmpty)
  }

  @Test(
    "an array that is cut or broken says so, at its line",
    arguments: [
      ("[", "the array is not closed"), ("[{}", "the array is not closed"), ("[{},", "the array is not closed"),
      ("[{}]x", "text after the array"), ("[{} {}]", "text after the JSON value"),
      ("[[1,2]]", "expected an object, found an array"),
      ("[\"abc", "the array is not closed"), ("[]", ""), ("[,]", ""), ("[{}],", "text after the array"),
      ("[\"a\\", "the array is not closed"),
    ])
  func broken(text: String, words: String) {
    let (examples, problems) = read(text)
    #expect(examples.isEmpty)
    #expect(words.isEmpty || problems.contains { $0.description.contains(words) }, "\(problems)")
  }

  @Test("every prefix and every changed byte of an array is read or refused")
  func mutations() {
    let text = Array("[\(row("a")),\n\(row("b"))]".utf8)
    for length in 0..<text.count {
      _ = try? ExampleReader(policy: .skip).read(Data(text[..<length]), name: "f")
      for byte: UInt8 in [0, 0x0A, 0x22, 0x5C, 0x7B, 0x5D, 0xFF] {
        var changed = text
        changed[length] = byte
        _ = try? ExampleReader(policy: .skip).read(Data(changed), name: "f")
      }
    }
  }

  @Test("ids of lines may repeat and hold slashes")
  func idsOfLines() throws {
    let text = [row("coco/1.jpg"), row("coco/1.jpg"), "", row("7"), #"{"messages":[{"role":"user","content":"u"}]}"#]
    let set = try ExampleReader(ids: .line).read(Data(text.joined(separator: "\n").utf8), name: "f")
    #expect(set.examples.map(\.id) == ["coco_1.jpg#1", "coco_1.jpg#2", "7#4", "line-5"])
    let array = try ExampleReader(ids: .line).read(Data("[\(row("a")),\(row("a"))]".utf8), name: "f")
    #expect(array.examples.map(\.id) == ["a#1", "a#2"])
  }
}
