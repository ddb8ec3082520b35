import Datasets
import Costs
import Testing

@Suite("Image groups that steps cut in two")
struct CutGroupsTests {
  private func found(_ keys: [Int], globalBatch: Int, ranks: Int) -> CutGroups? {
    let sampler = Sampler(examples: keys.count, groups: keys, globalBatch: globalBatch, seed: 3)
    let steps = (0..<keys.count / globalBatch).map { sampler.imageGroups(step: $0, grouping: keys) }
    return CutGroups(keys: keys, steps: steps, globalBatch: globalBatch, ranks: ranks)
  }

  /// Of 64 images with seven questions, four steps of 16 have 3, 3, 3 and 4 groups.
  @Test func sevenQuestions() throws {
    let keys = (0..<448).map { $0 / 7 }
    let two = try #require(found(keys, globalBatch: 16, ranks: 2))
    #expect(two.examples == 7 && two.globalBatches == [14, 28])
    #expect(abs(two.passes - 448 / 16 / 4 * 13 / 64.0) < 0.05)
    #expect(found(keys, globalBatch: 16, ranks: 1)?.globalBatches == [14, 21])
    #expect(found(keys, globalBatch: 4, ranks: 1)?.globalBatches == [7])
    #expect(found(keys, globalBatch: 8, ranks: 16)?.globalBatches == [7, 14])
    for whole in [7, 14, 28] { #expect(found(keys, globalBatch: whole, ranks: 2) == nil) }
  }

  @Test func mixedAndLone() {
    #expect(found(Array(0..<64), globalBatch: 16, ranks: 2) == nil)
    // 60 images of one question and 20 of three: as many examples.
    #expect(found((0..<120).map { $0 < 60 ? $0 : 60 + $0 / 3 }, globalBatch: 16, ranks: 2) == nil)
    #expect(found((0..<120).map { $0 < 30 ? $0 : 30 + $0 / 3 }, globalBatch: 16, ranks: 2)?.examples == 3)
  }
}
