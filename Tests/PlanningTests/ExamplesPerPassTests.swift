import Batches
import Files
import HuggingFace
import Tensors
import Testing

@testable import Costs

@Suite("Examples of a pass that the run leaves open")
struct ExamplesPerPassTests {
  private let text = TextConfiguration(
    hiddenSize: 896, intermediateSize: 4864, layers: 24, attentionHeads: 14, kvHeads: 2, headDimension: 64,
    vocabularySize: 151_936, rmsNormEpsilon: 1e-6, ropeTheta: 1e6, mropeSection: [8, 12, 12], tieWordEmbeddings: true,
    maxPositionEmbeddings: 32_768, mropeInterleaved: false, qkvBias: true, queryKeyNorm: false)

  private func automatic(_ tokens: [Int], batch: Int, groups: [Int]? = nil, bytes: Int = .max) -> Int {
    let shapes = tokens.map { ExampleShape(tokens: $0, visual: $0 / 2, answers: 10, merge: 2) }
    return ExamplesPerPass.automatic(
      shapes, groups: groups, globalBatch: batch, activations: ActivationBudget(bytes: bytes, precision: .float32), text
    )
  }

  /// Of 300 tokens: 5 would make 1,500; 4 divides 16 and 32, and leaves four passes.
  @Test func shortExamplesArePackedEvenly() {
    #expect(automatic([300], batch: 16) == 4)
    #expect(automatic([300], batch: 32) == 4)
    #expect(automatic([300], batch: 20) == 5)
    #expect(automatic([300], batch: 8) == 2)
    #expect(automatic([200, 400, 300], batch: 16) == 4)
  }

  /// Two images of four examples: 300 tokens, of which 166 are the image's and the text's before it.
  @Test func examplesOfAnImageShareItsTokens() {
    let (tokens, groups) = (Array(repeating: 300, count: 8), [0, 0, 0, 0, 4, 4, 4, 4])
    #expect(automatic(tokens, batch: 64) == 4)
    #expect(automatic(tokens, batch: 64, groups: groups) == 8)
    #expect(automatic(tokens, batch: 16, groups: groups) == 4)
  }

  @Test func longOrFewExamplesStayAlone() {
    #expect(automatic([1000], batch: 16) == 1)
    #expect(automatic([300], batch: 7) == 1)
    #expect(automatic([300], batch: 3) == 1)
    #expect(automatic([], batch: 16) == 1)
  }

  /// A token saves 24 layers of (2 x 128 + 2 x 896 + 14 + 896 + 2 x 4864) numbers of 4 bytes, about 1.2 MB.
  @Test func savedActivationsBoundAPass() {
    #expect(automatic([300], batch: 16, bytes: 1500 << 20) == 4)
    #expect(automatic([300], batch: 16, bytes: 1000 << 20) == 2)
    #expect(automatic([300], batch: 16, bytes: 1) == 1)
  }

  @Test func adviceWhereRanksWait() {
    #expect(ExamplesPerPass.advice(passes: 4, ranks: 4, examplesPerPass: 4) == nil)
    #expect(ExamplesPerPass.advice(passes: 4, ranks: 8, examplesPerPass: 1) == nil)
    #expect(
      ExamplesPerPass.advice(passes: 4, ranks: 8, examplesPerPass: 4)
        == "a step has 4 passes for 8 ranks: 4 of them wait; give a larger training.global_batch, or "
        + "training.micro_batch: 2 (now 4)")
  }
}
