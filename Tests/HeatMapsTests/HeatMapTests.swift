import Artifacts
import Testing

@testable import HeatMaps

@Suite("The heat map shows every head, the selected ones marked")
struct HeatMapTests {
  let map = HeatMap(
    .influence(scores: [[1e-3, 0], [1e-2, 1e-1], [1e-12, 3e-3]], numHeads: 2, tau: 1, method: "influence/rank1"))

  @Test func logarithmicScale() throws {
    #expect(map.highest == 0.1 && abs(map.lowest - 1e-7) < 1e-20)
    #expect(map.level(layer: 0, head: 1) == nil)
    #expect(map.level(layer: 1, head: 1) == 1)
    #expect(map.level(layer: 2, head: 0) == 0)
    #expect(abs(try #require(map.level(layer: 0, head: 0)) - 4.0 / 6) < 1e-12)
    #expect((0..<3).reduce(0) { $0 + map.share(layer: $1) } == 1)
  }

  /// Neither a model without influence nor one of equal scores divides by zero.
  @Test func flatScores() {
    for score in [0.0, 2.0] {
      let flat = HeatMap(.influence(scores: [[score, score]], numHeads: 1, tau: 0.5))
      #expect(flat.level(layer: 0, head: 0) == (score > 0 ? 1 : nil))
      #expect(flat.lines(.digits).count == 5)
      #expect(flat.lines(.digits)[1].contains(score > 0 ? "[9]" : "[.]"))
    }
  }

  @Test func digits() {
    #expect(
      map.lines(.digits) == [
        "layer   0   1       mass   share  heads",
        "    0   6   .   1.00e-03    0.9%      -",
        "    1  [8] [9]  1.10e-01   96.5%      2  ############",
        "    2   0   7   3.00e-03    2.6%      -",
        "",
        "log scale: 0 from 1.0e-07, 9 to 1.0e-01, a factor 4 a digit; . is none",
        "[ ] 2 of 6 heads selected, in 1 layer (influence/rank1, tau 1.0)",
      ])
  }

  /// Cells are blocks of the nearest of 256 colours; what is between escapes lines up with the digits.
  @Test func colours() {
    let line = map.lines(.colours)[2]
    #expect(line.contains("\u{1B}[48;5;220;38;5;16m ◆ \u{1B}[0m"))
    let plain = line.replacing(/\u{1B}\[[0-9;]*m/, with: "")
    #expect(plain == "    1   ◆   ◆   1.10e-01   96.5%      2  ▇▇▇▇▇▇▇▇▇▇▇▇")
    #expect(Colour.viridis(0) == Colour(red: 68, green: 1, blue: 84) && Colour.viridis(1).isLight)
  }
}
