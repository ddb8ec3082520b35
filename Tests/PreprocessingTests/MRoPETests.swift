import HuggingFace
import Testing

@testable import Preprocessing

@Suite("Positions equal transformers' get_rope_index")
struct MRoPETests {
  private struct Case: Decodable {
    var name: String
    var ids: [Int32]
    var grids: [[Int]]
    var positions: [[Int32]]
    var delta: Int32
  }
  private let image: Int32 = 9

  @Test("text only, one image, two, first, last, alone, several turns, several frames")
  func equalsTransformers() throws {
    let cases: [Case] = try Fixtures.load("mrope.json")
    for item in cases {
      let grids = item.grids.map { GridTHW(t: $0[0], h: $0[1], w: $0[2]) }
      let rope = try mropePositions(inputIDs: item.ids, imageTokenID: image, grids: grids, mergeSize: 2)
      #expect(rope.positions == item.positions, "\(item.name)")
      #expect(rope.delta == item.delta, "\(item.name)")
      #expect(rope.next == item.delta + Int32(item.ids.count), "\(item.name)")
    }
  }

  @Test("runs that do not fit the grids are errors")
  func mismatches() {
    let grid = GridTHW(t: 1, h: 4, w: 4)
    for (ids, grids) in [
      ([1, 9, 9, 9, 1], [grid]), ([1, 9, 9, 9, 9, 1], []), ([1, 1], [grid]),
      ([9, 9, 9, 9, 9, 9, 9, 9], [grid, grid]), ([1, 9], [GridTHW(t: 0, h: 0, w: 0)]),
    ] as [([Int32], [GridTHW])] {
      #expect(throws: PreprocessingError.self) {
        try mropePositions(inputIDs: ids, imageTokenID: image, grids: grids, mergeSize: 2)
      }
    }
  }
}
