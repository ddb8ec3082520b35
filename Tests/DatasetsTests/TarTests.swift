// Tar archives of samples: rows and images by WebDataset's names, hostile headers refused.
import Files
import Foundation
import TestSupport
import Testing

@testable import Datasets

@Suite("Tar archives of rows and images")
struct TarTests {
  private let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private static let turns =
    #""messages": [{"role": "user", "content": "<image>?"}, {"role": "assistant", "content": "x"}]"#

  /// A member as ustar writes it.
  private static func member(
    _ name: String, _ content: [UInt8], kind: Character = "0", size: String? = nil, magic: String = "ustar\0" + "00"
  ) -> [UInt8] {
    var header = [UInt8](repeating: 0, count: 512)
    func put(_ text: String, at place: Int) { for (i, byte) in text.utf8.enumerated() { header[place + i] = byte } }
    put(String(decoding: name.utf8.suffix(100), as: UTF8.self), at: 0)
    put(size ?? String(format: "%011o", content.count), at: 124)
    put(String(kind), at: 156)
    put(magic, at: 257)
    let sum = header.reduce(0) { $0 + Int($1) } + 8 * 32
    put(String(format: "%06o", sum) + "\0 ", at: 148)
    return header + content + [UInt8](repeating: 0, count: (512 - content.count % 512) % 512)
  }

  private static func json(_ members: String) -> [UInt8] { Array("{\(members)}".utf8) }

  private func read(_ bytes: [UInt8], end: Bool = true) throws -> Dataset {
    try folder.write("data.tar", bytes + [UInt8](repeating: 0, count: end ? 1024 : 0))
    return try ExampleReader(imageRoot: "/nowhere", confined: true).read(folder.path("data.tar"))
  }

  private func images(_ set: Dataset) throws -> [[[UInt8]]] {
    try set.examples.map { example in
      try example.images.map { if case .packed(let image) = $0.address { try image.bytes() } else { [] } }
    }
  }

  @Test("a row without id and images has those of its key; others keep theirs; keys may share images")
  func samples() throws {
    let two = #""messages": [{"role": "user", "content": "<image><image>"}, {"role": "assistant", "content": "y"}]"#
    let set = try read(
      Self.member("a/", [], kind: "5") + Self.member("a/0.png", [1, 2]) + Self.member("a/0.json", Self.json(Self.turns))
        + Self.member("./1.json", Self.json("\n \"id\": \"own\", \(two)\n")) + Self.member("1.0.jpg", [3])
        + Self.member("1.1.JPG", [4, 5, 6]) + Self.member("1.txt", [7])
        + Self.member("2.json", Self.json(#""id": null, "images": ["a/0.png"], "# + Self.turns)))
    #expect(set.examples.map(\.id) == ["a_0", "own", "2"] && set.problems.isEmpty)
    #expect(try images(set) == [[[1, 2]], [[3], [4, 5, 6]], [[1, 2]]])
    #expect(set.examples[0].images == set.examples[2].images)
  }

  @Test("long names of GNU and of POSIX, numbers in binary, and an archive without its zeros at the end")
  func forms() throws {
    let long = String(repeating: "d", count: 90) + "/" + String(repeating: "k", count: 60)
    let pax = Self.pax("path", long + ".json")
    let set = try read(
      Self.member("././@LongLink", Array((long + ".png").utf8) + [0], kind: "L") + Self.member("cut", [9])
        + Self.member("PaxHeader", pax, kind: "x") + Self.member("cut", Self.json(Self.turns)), end: false)
    #expect(set.examples.count == 1)
    #expect(try images(set) == [[[9]]])
    var binary = Self.member("0.png", [8], size: "")
    binary.replaceSubrange(124..<136, with: [0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1])
    let sum = binary[..<512].enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
    binary.replaceSubrange(148..<154, with: Array(String(format: "%06o", sum).utf8))
    #expect(try images(read(binary + Self.member("0.json", Self.json(Self.turns)))) == [[[8]]])
  }

  /// A record whose length counts its own digits.
  private static func pax(_ key: String, _ value: String) -> [UInt8] {
    let rest = " \(key)=\(value)\n".utf8.count
    let length = (1...).first { "\($0)".utf8.count + rest == $0 } ?? 0
    return Array("\(length) \(key)=\(value)\n".utf8)
  }

  @Test(
    "what is damaged or no file is refused in one line",
    arguments: [
      ("flipped", "no header of a member"), ("cut", "is cut"), ("link", "is a link"), ("twice", "two members"),
      ("none", "without rows"), ("name", "not UTF-8"), ("huge", "is cut"),
      ("negative", "is cut, or damaged"),
    ])
  func refused(what: String, words: String) throws {
    let row = Self.member("0.json", Self.json(Self.turns))
    let image = Self.member("0.png", [1])
    let bytes: [UInt8]
    switch what {
    case "flipped":
      var flipped = image + row
      flipped[1024] ^= 1
      bytes = flipped
    case "cut": bytes = Array((image + Self.member("1.png", [UInt8](repeating: 1, count: 600)))[..<1600])
    case "link": bytes = image + Self.member("1.png", [], kind: "2") + row
    case "twice": bytes = image + image + row
    case "none": bytes = image
    case "name":
      var odd = Self.member("0x.png", [1])
      odd[1] = 0xFF
      let sum = odd[..<512].enumerated().reduce(0) { $0 + ((148..<156).contains($1.offset) ? 32 : Int($1.element)) }
      odd.replaceSubrange(148..<154, with: Array(String(format: "%06o", sum).utf8))
      bytes = odd + row
    case "negative": bytes = Self.member("PaxHeader", Self.pax("size", "-5"), kind: "x") + image + row
    default: bytes = image + Self.member("1.png", [1], size: "77777777777")
    }
    let error = #expect(throws: DatasetError.self) { try read(bytes, end: what != "cut") }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    #expect(error?.description.contains("\n") == false)
  }

  @Test("a row that names an image that is not there, or is no object, is a bad row") func badRows() throws {
    for row in [#"{"images": ["b.png"], \#(Self.turns)}"#, "[1]", "", "{\(Self.turns)} x"] {
      let archive = Self.member("0.json", Array(row.utf8)) + Self.member("0.png", [1])
      #expect(throws: DatasetError.self) { try read(archive) }
    }
  }

  @Test("a compressed archive and a Git LFS pointer say what they are") func others() throws {
    let archive = Self.member("0.json", Self.json(Self.turns))
    try folder.write("data.tar.gz", Array(gzipped(archive)))
    try folder.write("rows.jsonl", Array("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n".utf8))
    for (name, words) in [("data.tar.gz", "compressed tar archive"), ("rows.jsonl", "Git LFS pointer")] {
      let error = #expect(throws: DatasetError.self) { try ExampleReader().read(folder.path(name)) }
      #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
    }
  }
}
