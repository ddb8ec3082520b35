// Which tags of a text are places of objects, and which are text.
import TestSupport
import Testing

@testable import Preprocessing

@Suite("Tags in texts")
struct MarkupTests {
  @Test(
    "tags are places; closed and escaped ones are text",
    arguments: [
      ("", []), ("plain", [.text("plain")]), ("a < b > c", [.text("a < b > c")]),
      ("<bbox>", [.box]), ("at <point>.", [.text("at "), .point, .text(".")]),
      ("<ref> and <ref-object>", [.reference, .text(" and "), .reference]),
      ("click(point='<point>20 30</point>')", [.text("click(point='<point>20 30</point>')")]),
      ("<bbox>1 2 3 4</bbox><bbox>", [.text("<bbox>1 2 3 4</bbox>"), .box]),
      ("Rome<ref>Smith 2001</ref> fell", [.text("Rome<ref>Smith 2001</ref> fell")]),
      ("<ref>cat</ref><box>(1,2),(3,4)</box>", [.text("<ref>cat</ref><box>(1,2),(3,4)</box>")]),
      ("<ref><ref-object></ref>", [.text("<ref>"), .reference, .text("</ref>")]),
      ("</point><point>", [.text("</point>"), .point]), ("<point><point></point>", [.point, .text("<point></point>")]),
      (#"\<bbox> <bbox>"#, [.text("<bbox> "), .box]), (#"\\<point>"#, [.text(#"\<point>"#)]),
      (#"\<point><point>\</point>"#, [.text("<point>"), .point, .text("</point>")]),
      ("<BBOX><bbox", [.text("<BBOX><bbox")]), ("<<point>>", [.text("<"), .point, .text(">")]),
      ("<point>\u{301}", [.point, .text("\u{301}")]),
    ] as [(String, [Markup])])
  func pieces(text: String, expected: [Markup]) {
    let pieces = Markup.pieces(of: text)
    #expect(pieces == expected)
    #expect(pieces.elementsEqual(expected) { "\($0)".utf8.elementsEqual("\($1)".utf8) })
  }

  @Test(
    "a megabyte of tags, brackets or combining marks takes linear time",
    arguments: ["<point>", "<", "<\u{301}", "\\<bbox>", "<ref></ref>"])
  func linear(unit: String) {
    let growth = TestSupport.growth(to: 200_000) {
      String(repeating: unit, count: $0)
    } work: {
      Markup.pieces(of: $0).count
    }
    #expect(growth < 3)
  }
}
