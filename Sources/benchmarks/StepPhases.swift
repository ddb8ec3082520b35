// The phases of one training batch, each timed alone, in the order and through the calls of a training step.
import Adapters
import Artifacts
import Batches
import Collectives
import Costs
import Datasets
import Foundation
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

/// Parts of a step.
enum Phase: String, CaseIterable {
  case tokens = "examples to tokens"
  case decoding = "image decoding"
  case vision
  case packing
  /// Includes the embedding of the tokens.
  case forward = "decoder forward"
  case loss = "head: loss and gradient"
  case backward = "decoder backward"
  case sum = "exact sum, reduce"
  case optimizer
  case checkpoint = "checkpoint write"

  /// A step with a new image.
  static let wholeStep = allCases.filter { $0 != .checkpoint }
  /// A step with cached vision features.
  static let withoutVision = wholeStep.filter { $0 != .decoding && $0 != .vision }
}

/// One batch of image groups and an adapter to train on it.
final class StepPhases {
  let base: BaseModel
  /// Those of an image together.
  let groups: [[Example]]
  /// All examples together, as they train and as a probe takes them.
  private let batch: PackedBatch
  let shape: BatchShape
  let budgets: LayerBudgets
  let adapter: ImageLoRA<Float>
  private let selection: HeadSelection
  private let samples: SampleBuilder
  private let probe: InfluenceProbe<Float>
  /// Each example's own tokens.
  private let separate: [BatchShape]
  private let store: CheckpointStore
  private let optimizer = AdamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0)
  private var state: TrainingState
  private var sum: ExactSum

  /// - Parameters:
  ///   - groups: examples of the same images each.
  ///   - kvHeads: adapted KV heads, spread evenly over the layers.
  ///   - folder: where checkpoints are written.
  /// - Throws: the error of an example or its images.
  init(
    _ base: BaseModel, groups: [[Example]], maxLength: Int, rank: Int, kvHeads: Int, folder: String
  ) throws {
    let text = base.configuration.text
    (self.base, self.groups) = (base, groups)
    budgets = .even(kvHeads, capacity: text.headCapacity)
    let indices = budgets.heads.map { Array(0..<$0) }
    selection = HeadSelection(
      method: "even", numHeads: kvHeads, tau: 0, kvIndices: indices,
      capacity: text.headCapacity)
    adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(
        rank: rank, alpha: Double(2 * rank), normalization: .inverseSqrtSelected, kvIndices: selection.adapted),
      text: text)
    adapter.initialize(seed: 0)
    probe = InfluenceProbe(text: text, projections: InfluenceProbe.seededProjections(text: text, seed: 0))
    samples = try base.sampleBuilder(maxLength: maxLength)
    state = TrainingState(
      startOf: RunIdentity(digest: "", yaml: "", seed: 0, worldSize: 1, provenance: AdapterProvenance(of: base)),
      adapter: adapter, selection: selection)
    sum = ExactSum(count: adapter.layout.count + 2)
    store = CheckpointStore(directory: folder, keep: 1)
    try store.prepare()

    let made = try groups.map { [samples] examples in
      let own = try examples.map(samples.sample)
      return SampleGroup(own, features: try base.featureStore.features(of: examples[0], sample: own[0]))
    }
    func patches(_ sample: Sample) -> [Int] { sample.grids.map(\.patches) }
    batch = PackedBatch(made)
    shape = BatchShape(batch, images: made.flatMap { patches($0.samples[0]) })
    separate = made.flatMap { group in
      group.samples.map { BatchShape(PackedBatch([$0], features: group.features), images: patches($0)) }
    }
  }

  /// One pass through all phases.
  /// - Parameter pause: runs between phases, to measure the GEMM peak.
  func run(pause: () -> Void) throws -> [Phase: Double] {
    var times: [Phase: Double] = [:]
    func timed<T>(_ phase: Phase, _ body: () throws -> T) rethrows -> T {
      let (seconds, result) = try seconds(body)
      times[phase] = seconds
      return result
    }
    let made = try timed(.tokens) { try groups.map { try $0.map(samples.sample) } }
    let images = try timed(.decoding) { try zip(groups, made).map { try samples.images(of: $0[0], for: $1[0]) } }
    pause()
    let features = timed(.vision) {
      images.map { own in
        own.map { image in
          let patches = Matrix(
            image.patches, rows: image.grid.patches, columns: image.patches.count / image.grid.patches)
          return base.model.vision.forward(patches: patches, grid: image.grid)
        }
      }
    }
    pause()
    let batch = timed(.packing) { PackedBatch(zip(made, features).map { SampleGroup($0, features: $1) }) }
    let pass = timed(.forward) { base.forwardSavingActivations(batch, adapter: adapter) }
    let (losses, dHidden) = timed(.loss) { base.model.head.lossAndGradient(pass.hidden, targets: batch.targets) }
    pause()
    adapter.resetGradients()
    _ = timed(.backward) { base.model.decoder.backward(dHidden, pass: pass, adapter: adapter) }
    pause()
    var gradients = try timed(.sum) { try reduced(losses) }
    timed(.optimizer) { update(&gradients, tokens: losses.count) }
    state.parameters = adapter.parameters.values
    try timed(.checkpoint) { try store.save(state) }
    return times
  }

  private func reduced(_ losses: [TokenLoss]) throws -> [Float] {
    let count = adapter.layout.count
    let form = FixedPoint(limit: 40, addends: 1)
    sum.reset()
    _ = sum.add(UnsafeBufferPointer(start: adapter.gradients.base, count: count), at: 0, in: form)
    _ = sum.add(losses.reduce(0) { $0 + $1.nll }, at: count, in: form)
    sum.add(count: losses.count, at: count + 1)
    try sum.reduce(over: SingleProcess())
    return sum.values(0..<count, in: form)
  }

  /// Mean, clipping by the norm, and update, as in a training step.
  private func update(_ gradients: inout [Float], tokens: Int) {
    let scale = 1 / Float(tokens)
    for i in gradients.indices { gradients[i] *= scale }
    let clip = Float(min(1, 1 / max(euclideanNorm(gradients), 1e-12)))
    for i in gradients.indices { gradients[i] *= clip }
    optimizer.update(
      UnsafeMutableBufferPointer(start: adapter.parameters.base, count: adapter.layout.count), gradients: gradients,
      learningRate: 1e-5, factors: [(0..<adapter.layout.count, 1)], state: &state.optimizer)
  }

  /// Seconds of an example's influence: forward through the frozen base, with the others of the batch, and each
  /// example's backward pass down to the first layer; over the examples.
  func influenceSeconds() -> Double {
    seconds { base.influence(of: batch, probe: probe) }.seconds / Double(shape.examples)
  }

  /// Model FLOPs of each phase that has GEMMs.
  var flops: [Phase: Double] {
    let work = BatchFLOPs(shape, budgets: budgets, rank: adapter.configuration.rank, base.configuration)
    let recomputed = BatchFLOPs.repeatedScores(shape, budgets: budgets, base.configuration)
    // One of the adapter's three GEMMs is in forward, two are in backward.
    let learns = shape.visual > 0
    return [
      .vision: work.vision, .forward: work.forward + (learns ? work.adapter / 3 : work.adapter), .loss: work.head,
      .backward: work.backward - recomputed + (learns ? work.adapter * 2 / 3 : 0),
    ]
  }

  /// Model FLOPs of an example's influence, without those of the estimators.
  var influenceFLOPs: Double {
    let text = base.configuration.text
    let all = LayerBudgets.even(text.totalHeads, capacity: text.headCapacity)
    func work(_ shape: BatchShape) -> BatchFLOPs { BatchFLOPs(shape, budgets: all, rank: 1, base.configuration) }
    let together = work(shape)
    let backward = separate.reduce(0.0) { sum, shape in
      sum + work(shape).backward - BatchFLOPs.repeatedScores(shape, budgets: all, base.configuration)
    }
    return (together.forward + together.head + backward) / Double(shape.examples)
  }
}
