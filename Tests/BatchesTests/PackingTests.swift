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

  /// Where the segments after the prefix lie.
  private func branches(_ packing: Packing) -> [Range<Int>] { packing.segments.dropFirst().map(\.range) }

  /// Up to its last supervised token, which is predicted and never read; a prompt without any is whole.
  @Test func oneSampleIsAllPrefix() {
    let packing = Packing([[sample([1, 2, 3], answer: 2)]])
    #expect((packing.prefix, packing.count, branches(packing)) == (2, 2, []))
    #expect(Packing([[sample([1, 2, 3], answer: 0)]]).count == 3)
  }

  @Test func branchesBeginAtTheFirstDifference() {
    let packing = Packing([
      [
        sample([1, 9, 9, 2, 3, 4], answer: 1, visual: [1..<3]),
        sample([1, 9, 9, 2, 5, 6, 7], answer: 2, visual: [1..<3]),
      ]
    ])
    #expect((packing.prefix, branches(packing), packing.count) == (4, [4..<5, 5..<7], 7))
    #expect(packing.position(of: 2, sample: 1) == 2)
    #expect(packing.position(of: 4, sample: 1) == 5)
  }

  /// Equal questions with other answers: the token that predicts the first answer token stays in each branch.
  @Test func predictionsStayInBranches() {
    let packing = Packing([[sample([1, 2, 3, 4], answer: 1), sample([1, 2, 3, 5, 6], answer: 2)]])
    #expect((packing.prefix, branches(packing)) == (2, [2..<3, 3..<5]))
  }

  /// Another text before the image: the image is in every branch, whole.
  @Test func imagesAreNeverCut() {
    let packing = Packing([
      [
        sample([1, 9, 9, 9, 3], answer: 1, visual: [1..<4]), sample([1, 9, 9, 9, 3], answer: 3, visual: [1..<4]),
      ]
    ])
    #expect(packing.prefix == 1)
  }

  /// Other images of the same size: equal ids, and nothing shared from the first image on.
  @Test func otherImagesAreNotShared() {
    let samples = [
      sample([1, 2, 9, 9, 3, 4], answer: 1, visual: [2..<4]), sample([1, 2, 9, 9, 3, 5], answer: 1, visual: [2..<4]),
    ]
    let packing = Packing(samples.map { [$0] })
    #expect((packing.prefix, branches(packing)) == (2, [2..<5, 5..<8]))
    #expect(Packing([samples]).prefix == 4)
    let text = Packing([[samples[0]], [sample([1, 7, 8], answer: 1)]])
    #expect((text.prefix, branches(text)) == (1, [1..<5, 5..<6]))
  }

  @Test func nothingInCommon() {
    let packing = Packing([[sample([1, 2], answer: 1), sample([3, 4], answer: 1)]])
    #expect((packing.prefix, branches(packing)) == (0, [0..<1, 1..<2]))
  }

  /// Two images, of two questions and of one, then text alone: the text before the images once, each image once.
  @Test func severalImages() {
    let packing = Packing([
      [
        sample([1, 2, 9, 9, 3, 4], answer: 1, visual: [2..<4]),
        sample([1, 2, 9, 9, 3, 5, 6], answer: 2, visual: [2..<4]),
      ],
      [sample([1, 2, 9, 9, 3, 4], answer: 1, visual: [2..<4])],
      [sample([1, 2, 7], answer: 1), sample([1, 2, 8], answer: 1)],
    ])
    #expect(packing.segments.map(\.tokens) == [0..<1, 1..<4, 4..<5, 4..<6, 1..<5, 1..<2, 1..<2])
    #expect(packing.segments.map(\.parent) == [nil, 0, 1, 1, 0, 0, 0])
    #expect(packing.segments.map(\.samples) == [0..<5, 0..<2, 0..<1, 1..<2, 2..<3, 3..<4, 4..<5])
    #expect(branches(packing) == [1..<4, 4..<5, 5..<7, 7..<11, 11..<12, 12..<13])
    #expect([0, 3, 5].map { packing.position(of: $0, sample: 1) } == [0, 3, 6])
    #expect(packing.position(of: 4, sample: 2) == 10)
    let slots = packing.slots()
    #expect(slots.map(\.shared) == [[], [0..<1], [0..<1, 1..<4], [0..<1, 1..<4], [0..<1], [0..<1], [0..<1]])
    #expect(slots.map(\.own) == packing.segments.map(\.range) && slots.allSatisfy { $0.newTokens == $0.own.count })
  }
}
