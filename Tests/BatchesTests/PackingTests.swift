import HuggingFace
@testable import Preprocessing
import Testing

@testable import Batches

@Suite("Samples of one image share their prefix and nothing else")
struct PackingTests {
  /// A sample whose supervised tokens are the last `answer` ones.
  func sample(_ ids: [Int32], answer: Int, visual: [Range<Int>] = []) -> Sample {
    let labels = ids.indices.map { $0 >= ids.count - answer ? ids[$0] : Sample.ignoredLabel }
    let positions = Array(repeating: ids.indices.map(Int32.init), count: 3)
    return Sample(
      id: "r", inputIDs: ids, labels: labels, visualSpans: visual, positionIDs: positions, grids: [], frames: [],
      nextPosition: Int32(ids.count))
  }

  /// Up to its last supervised token, which is predicted and never read; a prompt without any is whole.
  @Test func oneSampleIsAllPrefix() {
    let packing = Packing([sample([1, 2, 3], answer: 2)], sharesImages: true)
    #expect((packing.prefix, packing.count, packing.branches) == (2, 2, []))
    #expect(Packing([sample([1, 2, 3], answer: 0)], sharesImages: true).count == 3)
  }

  @Test func branchesBeginAtTheFirstDifference() {
    let packing = Packing(
      [
        sample([1, 9, 9, 2, 3, 4], answer: 1, visual: [1..<3]),
        sample([1, 9, 9, 2, 5, 6, 7], answer: 2, visual: [1..<3]),
      ], sharesImages: true)
    #expect((packing.prefix, packing.branches, packing.count) == (4, [4..<5, 5..<7], 7))
    #expect(packing.position(of: 2, sample: 1) == 2)
    #expect(packing.position(of: 4, sample: 1) == 5)
  }

  /// Equal questions with other answers: the token that predicts the first answer token stays in each branch.
  @Test func predictionsStayInBranches() {
    let packing = Packing([sample([1, 2, 3, 4], answer: 1), sample([1, 2, 3, 5, 6], answer: 2)], sharesImages: true)
    #expect((packing.prefix, packing.branches) == (2, [2..<3, 3..<5]))
  }

  /// Another text before the image: the image is in every branch, whole.
  @Test func imagesAreNeverCut() {
    let packing = Packing(
      [
        sample([1, 9, 9, 9, 3], answer: 1, visual: [1..<4]), sample([1, 9, 9, 9, 3], answer: 3, visual: [1..<4]),
      ], sharesImages: true)
    #expect(packing.prefix == 1)
  }

  /// Other images of the same size: equal ids, and nothing shared from the first image on.
  @Test func otherImagesAreNotShared() {
    let samples = [
      sample([1, 2, 9, 9, 3, 4], answer: 1, visual: [2..<4]), sample([1, 2, 9, 9, 3, 5], answer: 1, visual: [2..<4]),
    ]
    let packing = Packing(samples, sharesImages: false)
    #expect((packing.prefix, packing.branches) == (2, [2..<5, 5..<8]))
    #expect(Packing(samples, sharesImages: true).prefix == 4)
    let text = Packing([samples[0], sample([1, 7, 8], answer: 1)], sharesImages: false)
    #expect((text.prefix, text.branches) == (1, [1..<5, 5..<6]))
  }

  @Test func nothingInCommon() {
    let packing = Packing([sample([1, 2], answer: 1), sample([3, 4], answer: 1)], sharesImages: true)
    #expect((packing.prefix, packing.branches) == (0, [0..<1, 1..<2]))
  }
}
