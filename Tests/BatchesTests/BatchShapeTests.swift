import Adapters
import Costs
import Datasets
import Foundation
import HuggingFace
import Preprocessing
import Testing
import TinyModels

@testable import Batches

@Suite("A batch's shape as it is packed against the shape that a plan makes from lengths")
struct BatchShapeTests {
  static let fixture = ParityFixture.path("a")

  let base: BaseModel
  let rows: [Example]
  let samples: [Sample]

  init() throws {
    base = try BaseModel(folder: Self.fixture + "/model")
    rows = ["Where is the search button?", "How many widgets are there? Count them all."].enumerated().map {
      index, text in
      Example(
        id: "\(index)", line: 1, images: [.file(Self.fixture + "/images/0.png")],
        messages: [
          Message(role: .user, content: [.image(0), .text(text)]),
          Message(role: .assistant, content: [.text("(12, 34)")]),
        ])
    }
    samples = try rows.map(try base.sampleBuilder(maxLength: 4096).sample)
  }

  private func packed(_ count: Int) throws -> BatchShape {
    let features = try base.featureStore.features(of: rows[0], sample: samples[0])
    return BatchShape(
      PackedBatch(Array(samples.prefix(count)), features: features), images: samples[0].grids.map(\.patches))
  }

  /// An example's lengths up to its last supervised token, which is not read; `shared` of its tokens with others.
  private func read(_ shape: ExampleShape, shared: Int) -> ExampleShape {
    ExampleShape(
      tokens: shape.tokens - 1, visual: shape.visual, first: shape.first, shared: shared, answers: shape.answers,
      images: shape.images)
  }

  /// One example: all the same after the text before the image, whose keys are cached, but that an answer's token does
  /// not see those after it.
  @Test func oneExample() throws {
    let shape = ExampleShape(samples[0])
    let (found, planned) = (try packed(1), BatchShape([read(shape, shared: shape.shared)]))
    #expect(found.examples == 1 && found.tokens == planned.tokens - planned.first && found.visual == planned.visual)
    #expect(found.answers == planned.answers && found.first == 0 && found.images == planned.images)
    #expect(found.pairs == planned.latePairs && found.latePairs == planned.latePairs)
    #expect(found.keptPairs == planned.keptPairs)
    let (answers, tokens) = (Double(planned.answers), Double(planned.tokens))
    #expect(found.answerPairs <= planned.answerPairs && found.answerPairs >= answers * (tokens - answers - 4))
  }

  /// Two examples on one image: they also share what their questions have in common, which a plan does not know.
  @Test func twoExamples() throws {
    var shapes = samples.map { ExampleShape($0) }
    let common = zip(samples[0].inputIDs, samples[1].inputIDs).prefix { $0 == $1 }.count
    #expect(common >= shapes[0].shared)
    shapes = shapes.map { read($0, shared: common) }
    let (found, planned) = (try packed(2), BatchShape(shapes))
    #expect(found.examples == 2 && found.tokens == planned.tokens - planned.first && found.visual == planned.visual)
    #expect(found.answers == planned.answers && found.first == 0)
    #expect(found.pairs == planned.latePairs && found.latePairs == planned.latePairs)
    #expect(found.keptPairs == planned.keptPairs)
  }

  /// Image groups of one pass, of an example or of several: every number is the sum of theirs, as the packed batch has
  /// it.
  @Test(arguments: [[[0], [1]], [[0, 1], [1]], [[1], [0, 1], [1, 0]]])
  func joinedGroups(members: [[Int]]) throws {
    let features = try base.featureStore.features(of: rows[0], sample: samples[0])
    let groups = members.map { SampleGroup($0.map { samples[$0] }, features: features) }
    let images = samples[0].grids.map(\.patches)
    let joined = BatchShape(PackedBatch(groups), images: groups.flatMap { _ in images })
    #expect(joined == BatchShape(joining: groups.map { BatchShape(PackedBatch([$0]), images: images) }))
  }

  /// Backward's recomputed scores: all tokens from the first image on in layers 1 and 2 of 4, the answers in the last.
  @Test func repeatedScores() throws {
    let (unit, text) = (try packed(1), base.configuration.text)
    let budgets = LayerBudgets(heads: [0, 1] + Array(repeating: 0, count: text.layers - 2))
    let width = Double(2 * text.attentionHeads * text.headDimension)
    #expect(
      BatchFLOPs.repeatedScores(unit, budgets: budgets, base.configuration)
        == width * (Double(text.layers - 2) * unit.latePairs + unit.answerPairs))
    let work = BatchFLOPs(unit, budgets: budgets, rank: 4, base.configuration)
    #expect(work.backward > BatchFLOPs.repeatedScores(unit, budgets: budgets, base.configuration))
  }
}
