// gzip and zstd files of examples: the same examples as of the plain file, damage in one line, bounded memory and time.
import Files
import Foundation
import TestSupport
import Testing

@testable import Datasets

/// A way to compress a file.
enum Packing: CaseIterable {
  case gzip, zstd
  func callAsFunction(_ text: [UInt8]) -> Data { self == .gzip ? gzipped(text) : zstandard(text) }
}

@Suite("Compressed files of examples")
struct CompressedFileTests {
  private func row(_ id: Int, _ text: String = "u") -> String {
    #"{"id":"\#(id)","messages":[{"role":"user","content":"\#(text)"}]}"#
  }

  private func reason(_ data: Data, _ reader: ExampleReader = ExampleReader(policy: .skip)) -> String? {
    do {
      _ = try reader.read(data, name: "f")
      return nil
    } catch { return "\(error)" }
  }

  @Test("lines and arrays give the plain file's examples, digest and lines", arguments: Packing.allCases)
  func same(packing: Packing) throws {
    // Far more than a window, with rows that are cut by its end wherever that is.
    let rows = (0..<30_000).map { row($0, "u" + String(repeating: "é\\n", count: $0 % 97)) }
    for text in [rows.joined(separator: "\n"), "\u{FEFF} [\n" + rows.joined(separator: ",\n") + " ]\n"] {
      let (plain, packed) = (
        try ExampleReader().read(Data(text.utf8), name: "f"),
        try ExampleReader().read(packing(Array(text.utf8)), name: "f")
      )
      #expect(plain == packed && plain.examples.count == 30_000)
      #expect(plain.examples.map(\.line) == packed.examples.map(\.line))
    }
  }

  @Test("a row of many windows, and problems at the places of the plain file", arguments: Packing.allCases)
  func longRow(packing: Packing) throws {
    let long = String(repeating: "x", count: 9 << 20)
    for text in [
      row(1) + "\n" + row(2, long) + "\n{oops}\n" + row(3), "[" + row(1) + "," + row(2, long) + ", {oops}, " + row(3),
    ] {
      let reader = ExampleReader(policy: .skip)
      let (plain, packed) = (
        try reader.read(Data(text.utf8), name: "f"), try reader.read(packing(Array(text.utf8)), name: "f")
      )
      #expect(plain == packed && !plain.problems.isEmpty)
    }
  }

  @Test("every window splits the same rows, also of broken files", arguments: Packing.allCases)
  func windows(packing: Packing) {
    let texts = [
      "{\"a\": [1, \"x\\\"\"]}\n\n  \r\n{oops\n3", "\u{FEFF} [ {\"a\":\n\"]\"} , [1],\n 2 ] ", "[1, 2", "[1 2]", "[1,]",
      "[] x",
      "\n \n\n", "[\"\\", "", "[", "{}\n",
    ]
    /// Lines, numbers and texts of the rows, and the error at their end.
    func rows(_ data: Data, window: Int) -> [String] {
      data.withUnsafeBytes { bytes in
        var rows = RowSplitter(RowText(bytes, maxRowBytes: 1 << 20, firstWindow: window))
        var found: [String] = []
        do throws(JSONSyntaxError) {
          while let row = try rows.next() {
            found.append("\(row.line) \(row.number) \(row.name) \(String(decoding: row.bytes, as: UTF8.self))")
          }
        } catch { found.append("line \(rows.line): \(error)") }
        return found
      }
    }
    for text in texts {
      let plain = rows(Data(text.utf8), window: 1)
      let packed = packing(Array(text.utf8))
      for window in 4...40 { #expect(rows(packed, window: window) == plain, "\(text) in windows of \(window)") }
    }
  }

  @Test("members and frames follow each other", arguments: Packing.allCases)
  func concatenated(packing: Packing) throws {
    let data = packing(Array((row(1) + "\n").utf8)) + packing([]) + packing(Array(row(2).utf8))
    #expect(try ExampleReader().read(data, name: "f").examples.map(\.id) == ["1", "2"])
    let skipped = Data([0x53, 0x2A, 0x4D, 0x18, 2, 0, 0, 0, 7, 7])
    if packing == .zstd { #expect(try ExampleReader().read(skipped + data, name: "f").examples.count == 2) }
    #expect(reason(packing([])) == "f: holds no examples; write one JSON object a line")
  }

  @Test("a stream that is cut anywhere is refused", arguments: Packing.allCases)
  func cut(packing: Packing) {
    let data = packing(Array((row(1) + "\n" + row(2)).utf8))
    for count in 4..<data.count {
      let found = reason(data.prefix(count))
      #expect(found?.contains("is cut; copy the file again") == true, "\(count): \(found ?? "read")")
    }
  }

  @Test("every flipped bit of the text is refused, and none is read otherwise", arguments: Packing.allCases)
  func flipped(packing: Packing) throws {
    let data = packing(Array((0..<40).map { row($0, "text \($0 * 7919)") }.joined(separator: "\n").utf8))
    let whole = try ExampleReader().read(data, name: "f")
    for place in data.indices {
      for bit in 0..<8 {
        var changed = data
        changed[place] ^= 1 << bit
        // Header fields that mean nothing, as gzip's time, may be anything.
        guard let read = try? ExampleReader().read(changed, name: "f") else { continue }
        #expect(read == whole, "bit \(bit) of byte \(place)")
      }
    }
    var damaged = data
    damaged[data.count / 2] ^= 0x10
    #expect(reason(damaged)?.contains("copy the file again") == true, "\(reason(damaged) ?? "read")")
  }

  @Test("a decompression bomb is one line, soon", arguments: Packing.allCases)
  func bomb(packing: Packing) {
    let blank = packing([UInt8](repeating: 0x0A, count: 80 << 20))
    let found = reason(packing == .gzip ? blank + blank : blank)
    #expect(found?.utf8.count ?? 0 < 400 && found != nil, "\(found ?? "read")")
  }

  @Test("a row without an end is refused by its length", arguments: Packing.allCases)
  func endless(packing: Packing) {
    let reader = ExampleReader(policy: .skip, maxLineBytes: 1 << 20)
    let text = Array(#"{"id":"a","messages":""#.utf8) + [UInt8](repeating: 0x61, count: 20 << 20)
    #expect(
      reason(packing(text), reader) == "f: cannot be read: a row has more than 1048576 bytes; give images as files")
  }

  @Test("reading compressed rows is nearly linear", arguments: Packing.allCases)
  func growth(packing: Packing) throws {
    let growth = try TestSupport.growth(to: 8000) { count in
      packing(Array((0..<count).map { row($0, "text \($0)") }.joined(separator: "\n").utf8))
    } work: {
      try ExampleReader().read($0, name: "f").examples.count
    }
    #expect(growth < 3)
  }
}

@Suite("Tables in place of rows")
struct TableTests {
  private func refusal(_ text: String, policy: BadExamplePolicy) -> String {
    "\(#expect(throws: DatasetError.self) { try ExampleReader(policy: policy).read(Data(text.utf8), name: "a.csv") }!)"
  }

  @Test(
    "Parquet and CSV are named, with the command that makes rows of them", arguments: [BadExamplePolicy.strict, .skip])
  func tables(policy: BadExamplePolicy) {
    #expect(refusal("PAR1\u{15}\u{4}", policy: policy).contains("it is a Parquet file; convert it: python3 -c"))
    for text in ["id,question\n1,a\n", "\u{FEFF}id\tquestion\n1\ta\n", "\"id\";\"q\"\n1;{}", "\n1,2\n"] {
      let line = refusal(text, policy: policy)
      #expect(line.contains("if it is CSV, convert it: python3 -c") && line.contains("read_csv"), "\(line)")
    }
    for text in ["{\"id\": 1,", "oops", "3", "\"a,b\""] {
      #expect(!refusal(text, policy: policy).contains("CSV"), "\(text)")
    }
  }
}
