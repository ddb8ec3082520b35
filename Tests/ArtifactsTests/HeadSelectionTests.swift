import Adapters
import Files
import Testing

@testable import Artifacts

@Suite("Selection follows the method, ties and caps included")
struct HeadSelectionTests {
  @Test func bestHeadsTiesToTheLower() {
    let selection = HeadSelection.influence(scores: [[1, 3, 3, 2], [0, 0, 0, 0]], numHeads: 2, tau: 1)
    #expect(selection.kvIndices == [[1, 2], []])
  }

  /// K p_l = 0.5 and 0.5 round up to one head each: one too many, taken from the lowest mass, ties to the lower layer.
  @Test func tooManyTakesFromTheLowestMass() {
    #expect(HeadSelection.budgets(masses: [2, 2], capacity: [2, 2], K: 1, tau: 0.5) == [0, 1])
    #expect(HeadSelection.budgets(masses: [3, 2], capacity: [2, 2], K: 1, tau: 0) == [1, 0])
  }

  /// Heads beyond a cap go to layers with free heads, one per layer and round, highest mass first.
  @Test func capsGiveTheRestToOthers() {
    #expect(HeadSelection.budgets(masses: [100, 1, 2, 3], capacity: [2, 2, 2, 2], K: 5, tau: 1) == [2, 1, 1, 1])
    #expect(HeadSelection.budgets(masses: [100, 1, 1, 0], capacity: [2, 2, 2, 2], K: 4, tau: 1) == [2, 1, 1, 0])
  }

  /// Powers that underflow or overflow leave the ratios of the masses.
  @Test func extremeTemperatures() {
    #expect(HeadSelection.budgets(masses: [1e-5, 2e-5], capacity: [4, 4], K: 4, tau: 100) == [0, 4])
    #expect(HeadSelection.budgets(masses: [1e5, 1e5, 1], capacity: [4, 4, 4], K: 4, tau: 100) == [2, 2, 0])
  }

  @Test func noMassIsProportionalToCapacity() {
    #expect(HeadSelection.budgets(masses: [0, 0], capacity: [2, 6], K: 4, tau: 0.5) == [1, 3])
  }

  @Test func negativeScoresHaveNoMass() {
    let selection = HeadSelection.influence(scores: [[-5, 1], [2, 2]], numHeads: 1, tau: 1)
    #expect(selection.kvIndices == [[], [0]])
  }

  /// The layers' budgets are those of the highest heads.
  @Test func lowestHeadsTiesToTheLower() {
    let scores: [[Double]] = [[1, 3, 3, 1], [0, 5, 0, 6], [0.1, 0, 0.2, 0.3]]
    for K in 1...11 {
      let (lowest, highest) = (
        HeadSelection.lowest(scores: scores, numHeads: K, tau: 0.5),
        HeadSelection.influence(scores: scores, numHeads: K, tau: 0.5)
      )
      #expect(lowest.kvIndices.map(\.count) == highest.kvIndices.map(\.count))
    }
    #expect(HeadSelection.lowest(scores: scores, numHeads: 5, tau: 0).kvIndices == [[0, 3], [0, 2], [1]])
  }

  /// The budget is spent in the upper layers; scores and heads of all layers stay in the document.
  @Test func upperLayersOnly() {
    let scores: [[Double]] = [[9, 9, 9], [1, 3, 2], [4, 0, 5]]
    let selection = HeadSelection.influence(scores: scores, numHeads: 4, tau: 1, fromLayer: 1)
    #expect(selection.kvIndices == [[], [1, 2], [0, 2]] && selection.numHeads == 4)
    #expect(selection.scores == scores && selection.capacity == [3, 3, 3])
    #expect(HeadSelection.lowest(scores: scores, numHeads: 2, tau: 0, fromLayer: 1).kvIndices == [[], [0], [1]])
    #expect(HeadSelection.influence(scores: scores, numHeads: 9, tau: 1, fromLayer: 2).numHeads == 3)
    #expect(HeadSelection.perLayer(1, scores: scores, fromLayer: 1).kvIndices == [[], [1], [2]])
    let all = HeadSelection.all(capacity: [3, 3, 3], fromLayer: 2)
    #expect(all.kvIndices == [[], [], [0, 1, 2]] && all.numHeads == 3 && all.capacity == [3, 3, 3])
    let random = HeadSelection.random(numHeads: 5, seed: 3, capacity: [3, 3, 3], fromLayer: 1)
    #expect(random.kvIndices[0].isEmpty && random.kvIndices.joined().count == 5)
    #expect(HeadSelection.random(numHeads: 5, seed: 3, capacity: [0, 3, 3]).kvIndices == random.kvIndices)
  }

  @Test(arguments: [0, -1, 4, 9]) func allHeads(budget: Int) {
    let selection = HeadSelection.influence(scores: [[1, 2], [3, 4]], numHeads: budget, tau: 0.5)
    #expect(selection.kvIndices == [[0, 1], [0, 1]])
    #expect(selection.numHeads == 4)
  }

  @Test func budgetIsAlwaysMet() {
    for K in 1...11 {
      for tau in [0, 0.5, 1, 2] {
        let budgets = HeadSelection.budgets(masses: [5, 0.1, 0, 40], capacity: [3, 3, 3, 3], K: K, tau: tau)
        #expect(budgets.reduce(0, +) == K)
        #expect(budgets.allSatisfy { $0 >= 0 && $0 <= 3 })
      }
    }
  }
}
