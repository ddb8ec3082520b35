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
      PackedBatch(samples, features: features[0])
    }
  }

  /// Samples as image groups: neighbours of the same images are one.
  private func groups(_ samples: [Sample], _ features: [[Matrix<Float>]], images: [Range<Int>]) -> [SampleGroup] {
    var groups: [Range<Int>] = []
    for index in samples.indices {
      if let last = groups.last, images[last.lowerBound] == images[index] {
        groups[groups.count - 1] = last.lowerBound..<index + 1
      } else {
        groups.append(index..<index + 1)
      }
    }
    return groups.map { SampleGroup(Array(samples[$0]), features: features[$0.lowerBound]) }
  }

  private let questions = [
    ("Where is the search button?", "(12, 34)"),
    ("Where is the search field? Answer with a point.", "(56, 7), I think"),
    ("How many widgets are there?", "3"), ("What is this?", "A page."), ("How many?", "4"),
  ]

  private func rows(images: [Range<Int>]) -> [Example] {
    zip(images, questions).enumerated().map { row("\($0)", $1.1.0, $1.1.1, images: $1.0) }
  }

  /// The same of a micro-batch: images of their own, a sample of text among them, text alone, and images of several
  /// samples.
  @Test(
    arguments: [
      [0..<1, 1..<2, 0..<2], [1..<2, 0..<0, 0..<1], [0..<0, 0..<0], [0..<1, 0..<1, 1..<2, 1..<2, 0..<1],
      [0..<2, 1..<2, 1..<2, 0..<2, 0..<2],
    ],
    [("a", false), ("a", true), ("qwen3-vl", false), ("qwen3-vl", true)])
  func severalImages(images: [Range<Int>], model: (fixture: String, standard: Bool)) throws {
    try compare(rows(images: images), model.fixture, model.standard) { samples, features in
      PackedBatch(groups(samples, features, images: images))
    }
  }

  /// The influence of samples that share a forward pass, against that of each alone: of the same images, of images of
  /// their own, of which one has none, and of images of several samples.
  @Test(
    arguments: ["a", "qwen3-vl", "qwen3.5-a"],
    [
      ([0..<1, 0..<1, 0..<1], 0), ([0..<1, 0..<1, 0..<1], Int.max), ([0..<2, 0..<2, 0..<2], Int.max),
      ([0..<1, 1..<2, 0..<2], Int.max), ([1..<2, 0..<0, 0..<1], 0),
      ([0..<1, 0..<1, 1..<2, 1..<2, 0..<2], Int.max), ([0..<2, 1..<2, 1..<2, 1..<2], 0),
    ])
  func influence(fixture: String, setting: (images: [Range<Int>], activationBytes: Int)) throws {
    let (images, activationBytes) = setting
    let rows = rows(images: images)
    let base = try BaseModel(folder: ParityFixture.path(fixture) + "/model")
    let samples = try rows.map(try base.sampleBuilder(maxLength: 4096).sample)
    let features = try zip(rows, samples).map { try base.featureStore.features(of: $0, sample: $1) }
    let text = base.configuration.text
    func probes(_ count: Int) -> [InfluenceProbe<Float>] {
      (0..<count).map { _ in
        InfluenceProbe(text: text, projections: InfluenceProbe.seededProjections(text: text, seed: 2))
      }
    }
    let together = probes(samples.count)
    let losses = base.lossAndSeparateGradients(
      PackedBatch(groups(samples, features, images: images)), adapters: together, activationBytes: activationBytes)
    for (index, sample) in samples.enumerated() {
      let alone = probes(1)
      let batch = PackedBatch([sample], features: features[index])
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
      base.lossAndGradient(PackedBatch([$0], features: $1), adapter: adapter)[0]
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
