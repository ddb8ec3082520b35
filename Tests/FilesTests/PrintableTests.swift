// What may reach a terminal, and the search in linear time.
import Foundation
import TestSupport
import Testing

@testable import Files

@Suite("Lines for a terminal, and searches")
struct PrintableTests {
  @Test("Every character that a terminal obeys is spelled out; all others stay")
  func characters() {
    #expect(printable("a\u{1B}[31mb.png") == "a\\u001b[31mb.png")
    #expect(
      printable("\u{9B}1m \u{7F} \u{202E}gnp.\u{2066}a\u{2069} \u{FEFF}\r\t\u{7}")
        == "\\u009b1m \\u007f \\u202egnp.\\u2066a\\u2069 \\ufeff\\r\\t\\u0007")
    let plain = "två\n日本語 🦙 e\u{301} \u{A0}\u{200F}\u{2065}\u{206A} \\u001b"
    #expect(printable(plain).utf8.elementsEqual(plain.utf8))
    for scalar in (0..<0x110000 as Range<UInt32>).compactMap(Unicode.Scalar.init) {
      let shown = printable("<\(scalar)>")
      let isObeyed =
        scalar != "\n" && scalar.properties.generalCategory == .control
        || [0x202A...0x202E, 0x2066...0x2069, 0xFEFF...0xFEFF].contains { $0.contains(scalar.value) }
      #expect(shown.utf8.elementsEqual("<\(scalar)>".utf8) == !isObeyed, "\(scalar.value)")
    }
  }

  @Test("A JSON document stays the same document")
  func documents() throws {
    let texts = ["a\u{1B}b\tc\r\n", "\u{202E}\u{9B}\u{7F}\u{FEFF}"]
    let shown = printable(String(decoding: try JSONEncoder().encode(texts), as: UTF8.self))
    #expect(try JSONDecoder().decode([String].self, from: Data(shown.utf8)) == texts)
    #expect(!shown.unicodeScalars.contains { $0.properties.generalCategory == .control })
  }

  @Test("A text that grows byte by byte is the text, without what a terminal obeys")
  func growing() {
    var (text, shown) = (GrowingText(), "")
    for byte in "é日🦙\u{1B}[0m\u{9B}\u{202E}.\n".utf8 { shown += text.add([byte]) }
    #expect(shown == "é日🦙\\u001b[0m\\u009b\\u202e.\n" && text.end().isEmpty)
    var cut = GrowingText()
    #expect(cut.add([0x61, 0xF0, 0x9F]) == "a" && cut.end() == "\u{FFFD}" && cut.end().isEmpty)
    var broken = GrowingText()
    #expect(broken.add([0x80, 0x80, 0x80, 0x80, 0x80]).unicodeScalars.allSatisfy { $0 == "\u{FFFD}" })
    #expect(broken.add([0xC3, 0x1B]) == "\u{FFFD}\\u001b")
  }

  @Test("A search finds the first place, as a plain one does")
  func searches() {
    var state: UInt64 = 1
    func letters(_ count: Int) -> [UInt8] {
      (0..<count).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(state >> 60 & 1)
      }
    }
    for _ in 0..<2000 {
      let (text, part) = (letters(30), letters(Int(state >> 61)))
      for start in [0, 7, 30] {
        let plain = (start...30).first { text[$0...].starts(with: part) }
        #expect(text.withUnsafeBufferPointer { ByteSearch(part).first(in: $0, from: start) } == plain)
      }
    }
    let text = String(repeating: "a", count: 400_000)
    let time = threadTime { #expect(!ByteSearch((text + "b").utf8).isPart(of: text + text)) }
    #expect(time < .seconds(2))
  }
}
