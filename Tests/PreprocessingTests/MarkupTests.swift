// Which tags of a text are places of objects, and which are text.
import Glibc
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

  @Test("a megabyte of tags, brackets or combining marks takes linear time")
  func linear() {
    // Of this thread: other tests run meanwhile.
    func cpuSeconds() -> Double {
      var time = timespec()
      clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
      return Double(time.tv_sec) + 1e-9 * Double(time.tv_nsec)
    }
    func seconds(_ text: String) -> Double {
      let start = cpuSeconds()
      _ = Markup.pieces(of: text)
      return cpuSeconds() - start
    }
    for unit in ["<point>", "<", "<\u{301}", "\\<bbox>", "<ref></ref>"] {
      let (small, large) = (String(repeating: unit, count: 20_000), String(repeating: unit, count: 200_000))
      _ = seconds(small)
      // Ten times the text; a hundred times the time would be quadratic.
      #expect(seconds(large) < 40 * max(seconds(small), 0.002), "\(unit)")
    }
  }
}
