import Adapters
import Datasets
import Foundation
import Preprocessing
import QwenVL
import Tensors
import RandomNumbers
import Testing
import TinyModels

@testable import Batches

@Suite("Samples computed together equal separate samples")
struct GroupedUnitTests {
  func row(_ id: String, _ question: String, _ answer: String, images: Range<Int> = 0..<1) -> Example {
    let files = ["0.png", "1.jpg"][images].map { ImageSource.file("\(ParityFixture.path("a"))/images/\($0)") }
    let content = files.indices.map { ContentPart.image($0) } + [.text(question)]
    return Example(
      id: id, line: 1, images: Array(files),
      messages: [
        Message(role: .user, content: content), Message(role: .assistant, content: [.text(answer)]),
      ])
  }

  /// Losses and gradients of all three samples in one batch, with a shared prefix and branches of different lengths,
  /// against the sum over the samples alone, to fp32 rounding of the largest number.
  @Test(arguments: [0..<1, 0..<2], [("a", false), ("a", true), ("qwen3-vl", false), ("qwen3-vl", true)])
  func sharedImages(images: Range<Int>, model: (fixture: String, standard: Bool)) throws {
    let rows = [
      row("a", "Where is the search button?", "(12, 34)", images: images),
      row("b", "Where is the search field? Answer with a point.", "(56, 7), I think", images: images),
      row("c", "How many widgets are there?", "3", images: images),
    ]
    try compare(rows, model.fixture, model.standard) { samples, features in
      PackedBatch(samples, images: .shared(features[0]))
    }
  }

  /// The same of a micro-batch: images of their own, a sample of text among them, and text alone.
  @Test(
    arguments: [[0..<1, 1..<2, 0..<2], [1..<2, 0..<0, 0..<1], [0..<0, 0..<0]],
    [("a", false), ("a", true), ("qwen3-vl", false), ("qwen3-vl", true)])
  func ownImages(images: [Range<Int>], model: (fixture: String, standard: Bool)) throws {
    let questions = [("Where is the search button?", "(12, 34)"), ("What is this?", "A page."), ("How many?", "3")]
    let rows = zip(images, questions).enumerated().map { index, part in
      row("\(index)", part.1.0, part.1.1, images: part.0)
    }
    try compare(rows, model.fixture, model.standard) { samples, features in
      PackedBatch(samples, images: .own(features))
    }
  }

  /// The influence of samples that share a forward pass, against that of each alone: of the same images, and of images
  /// of their own, of which one has none.
  @Test(
    arguments: ["a", "qwen3-vl", "qwen3.5-a"],
    [
      ([0..<1, 0..<1, 0..<1], 0), ([0..<1, 0..<1, 0..<1], Int.max), ([0..<2, 0..<2, 0..<2], Int.max),
      ([0..<1, 1..<2, 0..<2], Int.max), ([1..<2, 0..<0, 0..<1], 0),
    ])
  func influence(fixture: String, setting: (images: [Range<Int>], activationBytes: Int)) throws {
    let (images, activationBytes) = setting
    let rows = [
      row("a", "Where is the search button?", "(12, 34)", images: images[0]),
      row("b", "Where is the search field? Answer with a point.", "(56, 7), I think", images: images[1]),
      row("c", "How many widgets are there?", "3", images: images[2]),
    ]
    let base = try BaseModel(folder: ParityFixture.path(fixture) + "/model")
    let samples = try rows.map(try base.sampleBuilder(maxLength: 4096).sample)
    let features = try zip(rows, samples).map { try base.featureStore.features(of: $0, sample: $1) }
    let text = base.configuration.text
    func probes(_ count: Int) -> [InfluenceProbe<Float>] {
      (0..<count).map { _ in
        InfluenceProbe(text: text, projections: InfluenceProbe.seededProjections(text: text, seed: 2))
      }
    }
    let together = probes(3)
    let shared = images.allSatisfy { $0 == images[0] }
    let losses = base.lossAndSeparateGradients(
      PackedBatch(samples, images: shared ? .shared(features[0]) : .own(features)), adapters: together,
      activationBytes: activationBytes)
    for (index, sample) in samples.enumerated() {
      let alone = probes(1)
      let batch = PackedBatch([sample], images: .shared(features[index]))
      let loss = base.lossAndSeparateGradients(batch, adapters: alone)[0]
      #expect(losses[index].tokens == loss.tokens && abs(losses[index].nll - loss.nll) < 1e-5 * loss.nll)
      func numbers(_ probe: InfluenceProbe<Float>) -> [[Float]] {
        [probe.gateGradient.values, probe.rank1Gradient.values, probe.weightGradientNorm2.map(Float.init)]
      }
      for (found, expected) in zip(numbers(together[index]), numbers(alone[0])) {
        let scale = expected.map(abs).max() ?? 0
        #expect((scale > 0) == !images[index].isEmpty)
        #expect(zip(found, expected).allSatisfy { abs($0 - $1) <= 2e-5 * scale })
      }
    }
  }

  private func compare(
    _ rows: [Example], _ fixture: String, _ standard: Bool,
    _ pack: ([Sample], [[Matrix<Float>]]) -> PackedBatch
  ) throws {
    let base = try BaseModel(folder: ParityFixture.path(fixture) + "/model")
    let samples = try rows.map(try base.sampleBuilder(maxLength: 4096).sample)
    let features = try zip(rows, samples).map { try base.featureStore.features(of: $0, sample: $1) }
    try Self.compare(base, samples, features, standard, pack)
  }

  /// The same of samples that are made already.
  static func compare(
    _ base: BaseModel, _ samples: [Sample], _ features: [[Matrix<Float>]], _ standard: Bool,
    _ pack: ([Sample], [[Matrix<Float>]]) -> PackedBatch
  ) throws {
    let text = base.configuration.text
    let configuration: AdapterConfiguration =
      standard
      ? .lora(
        LoRAConfiguration(rank: 2, alpha: 4, targets: [0: Projection.attention, 1: [.query], 3: [.value, .output]]))
      : .imageLoRA(
        ImageLoRAConfiguration(
          rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: [0: [0, 2], 1: [1], 3: [2]]))
    let adapter: any Adapter<Float> = configuration.adapter(text, nil)
    var source = NormalSource(seed: 1)
    adapter.load((0..<adapter.layout.count).map { _ in Float(source.nextGaussian()) * 0.3 })

    let together = base.lossAndGradient(pack(samples, features), adapter: adapter)
    let grouped = adapter.gradients.values
    adapter.resetGradients()
    let alone = zip(samples, features).map {
      base.lossAndGradient(PackedBatch([$0], images: .shared($1)), adapter: adapter)[0]
    }
    let separate = adapter.gradients.values

    #expect(together.map(\.tokens) == alone.map(\.tokens))
    for (a, b) in zip(together, alone) { #expect(abs(a.nll - b.nll) < 1e-5 * b.nll) }
    // A gamma's gradient is one number, the sum of B dB over gamma: where its terms cancel to under a hundredth of
    // them, it is measured on their size.
    let parameters = adapter.parameters.values
    func terms(_ gamma: AdapterLayout.Tensor) -> Float {
      let name = gamma.name.replacing(".gamma", with: ".B")
      guard let b = adapter.layout.tensors.first(where: { $0.name == name }) else { return 0 }
      return b.range.reduce(0) { $0 + abs(parameters[$1] * separate[$1]) }
        / abs(parameters[gamma.range.lowerBound])
    }
    for tensor in adapter.layout.tensors {
      let own = separate[tensor.range].map(abs).max() ?? 0
      let scale = tensor.shape.isEmpty && own < terms(tensor) / 100 ? terms(tensor) : own
      for i in tensor.range {
        #expect(abs(grouped[i] - separate[i]) <= 2e-5 * max(scale, 1e-3), "\(tensor.name) \(i)")
      }
    }
  }
}
