// A file of examples: lines, ids, policies, digests, and hostile files.
import Foundation
import Testing

@testable import Datasets

private func line(_ id: String, _ text: String = "u") -> String {
  #"{"id":"\#(id)","messages":[{"role":"user","content":"\#(text)"}]}"#
}

@Suite("A file of examples")
struct ExampleReaderTests {
  @Test("blank lines, a byte order mark, CRLF and a missing last newline change neither examples nor digest")
  func lineEndings() throws {
    let plain = line("a") + "\n" + line("b") + "\n"
    let other = "\u{FEFF}" + line("a") + "\r\n\r\n  \t\n" + line("b")
    let reader = ExampleReader()
    let (first, second) = (
      try reader.read(Data(plain.utf8), name: "1"), try reader.read(Data(other.utf8), name: "2")
    )
    #expect(first.examples.map(\.id) == ["a", "b"] && second.examples.map(\.line) == [1, 4])
    #expect(first.digest == second.digest)
  }

  @Test("the digest follows ids, contents and order, and not the place of the file")
  func digests() throws {
    func digest(_ lines: String...) throws -> String {
      try ExampleReader().read(Data(lines.joined(separator: "\n").utf8), name: "examples").digest
    }
    let base = try digest(line("a"), line("b"))
    // Python: hashlib.sha256(b"".join(b"%d %d\n%s%s" % (len(i), len(l), i, l) for i, l in examples)).hexdigest()
    #expect(base == "27a5338ef10e7ee6af0430875a408fcbb81edc8bf054c027d66279b19553ca8c")
    #expect(try digest(line("b"), line("a")) != base)
    #expect(try digest(line("a"), line("b", "v")) != base)
    #expect(try digest(line("a")) != base)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appendingPathComponent("r.jsonl")
    try Data((line("a") + "\n" + line("b")).utf8).write(to: file)
    #expect(try ExampleReader(imageRoot: "/elsewhere").read(file.path).digest == base)
  }

  @Test("an example without id is named by its line; a second example of an id names the first")
  func ids() {
    let (examples, problems) = read(
      #"{"messages":[{"role":"user","content":"u"}]}"# + "\n" + line("a") + "\n" + line("a") + "\n" + line("line-1"))
    #expect(examples.map(\.id) == ["line-1", "a"])
    #expect(
      problems == [
        ExampleProblem(
          line: 3, id: "a", reason: "the id is taken by line 2; ids must be unique, or set data.ids: line"),
        ExampleProblem(
          line: 4, id: "line-1", reason: "the id is taken by line 1; ids must be unique, or set data.ids: line"),
      ])
  }

  @Test("broken JSON is a problem of its line, with the parser's place")
  func brokenJSON() {
    let (examples, problems) = read(line("a") + "\n{\"id\": oops}\n" + line("b"))
    #expect(examples.map(\.id) == ["a", "b"])
    #expect(
      problems == [ExampleProblem(line: 2, id: "line-2", reason: "not valid JSON: byte 7: not a JSON value")])
  }

  @Test("an example of broken content keeps its id")
  func idOfBadExample() {
    #expect(read(#"{"id":"x","messages":3}"#).problems.first?.id == "x")
    #expect(read(#"{"id":"x/y","messages":3}"#).problems.first?.id == "line-1")
  }

  @Test("strict refuses the file and lists the first five examples; skip keeps the good ones")
  func policies() throws {
    let text = line("good") + "\n" + (1...7).map { line("bad/\($0)") }.joined(separator: "\n")
    let error = #expect(throws: DatasetError.self) { try ExampleReader().read(Data(text.utf8), name: "rows.jsonl") }
    let description = error?.description ?? ""
    #expect(description.hasPrefix(#"rows.jsonl: 7 bad examples: line 2 (line-2): id "bad/1" holds "/""#))
    #expect(description.contains("line 6 (line-6)") && !description.contains("line 7"))
    #expect(description.hasSuffix("; and 2 more; fix them or set data.bad_rows: skip"))
    let set = try ExampleReader(policy: .skip).read(Data(text.utf8), name: "rows.jsonl")
    #expect(set.examples.map(\.id) == ["good"] && set.problems.count == 7)
  }

  @Test("a file without usable examples is an error under both policies", arguments: [BadExamplePolicy.strict, .skip])
  func empty(policy: BadExamplePolicy) {
    let reader = ExampleReader(policy: policy)
    #expect(throws: DatasetError.empty(file: "f", problems: [])) { try reader.read(Data("\n \r\n".utf8), name: "f") }
    #expect(throws: DatasetError.empty(file: "f", problems: [])) { try reader.read(Data(), name: "f") }
    #expect(throws: DatasetError.self) { try reader.read(Data("x".utf8), name: "f") }
  }

  @Test(
    "files that cannot be read give the reason",
    arguments: [
      ("/nowhere/rows.jsonl", "there is no such file"), ("/dev/zero", "it is not a regular file"),
      ("/", "it is not a regular file"),
    ])
  func unreadable(path: String, reason: String) {
    #expect(throws: DatasetError.unreadable(file: path, reason: reason)) { try ExampleReader().read(path) }
  }

  @Test("a line over the limit is a problem and is not parsed")
  func longLine() throws {
    let text = line("a") + "\n" + line("b", String(repeating: "x", count: 200))
    let set = try ExampleReader(policy: .skip, maxLineBytes: 100).read(Data(text.utf8), name: "f")
    #expect(set.examples.map(\.id) == ["a"])
    #expect(set.problems.first?.reason == "the row has 252 bytes, the limit is 100; give images as files")
  }

  @Test(
    "hostile lines are problems of one bounded line, never a crash",
    arguments: [
      String(repeating: "[", count: 100_000), "{\"id\":" + String(repeating: "{\"a\":", count: 100_000),
      "null", "[[]]", "3", "\"x\"", "{", "}", "{}", #"{"messages":[{"role":"user","content":"\ud800"}]}"#,
      "{\"id\":\"\\ud800\"}", "{\"id\":1e999}", "\0", "\u{FEFF}\u{FEFF}",
      line(String(repeating: "é", count: 600)), line(String(repeating: "/", count: 100_000)),
      line("a", String(repeating: "<image>", count: 1000)), line("a\\nb"),
      #"{"messages":[{"role":"\u001b[2J\n","content":"u"}]}"#,
      #"{"images":["x://\#(String(repeating: "y", count: 9999))"],"messages":[{"role":"user","content":"<image>"}]}"#,
    ])
  func hostile(line: String) {
    let (examples, problems) = read(line)
    #expect(examples.isEmpty && problems.count == 1)
    let description = problems.first?.description ?? ""
    #expect(description.utf8.count < 400 && !description.utf8.contains { $0 < 0x20 }, "\(description)")
  }

  @Test("every prefix and every changed byte of an example is read or refused")
  func mutations() {
    let line = Array(#"{"id":"a","image":"x","conversations":[{"from":"human","value":"<image>é"}]}"#.utf8)
    for length in 0..<line.count {
      _ = try? ExampleReader(policy: .skip).read(Data(line[..<length]), name: "f")
      for byte: UInt8 in [0, 0x0A, 0x22, 0x5C, 0x7B, 0xFF] {
        var changed = line
        changed[length] = byte
        _ = try? ExampleReader(policy: .skip).read(Data(changed), name: "f")
      }
    }
  }

  @Test("bytes that are no UTF-8 are a problem")
  func invalidUTF8() {
    var bytes = Array(line("a", "é").utf8)
    bytes[bytes.firstIndex(of: 0xC3) ?? 0] = 0xFF
    let error = #expect(throws: DatasetError.self) { try ExampleReader().read(Data(bytes), name: "f") }
    #expect(
      error?.description.hasPrefix("f: 1 bad example: line 1 (line-1): not valid JSON") == true,
      "\(error?.description ?? "")")
  }
}
