// The phases of one training unit, each timed alone, in the order and through the calls of a training step.
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
  case tokens = "rows to tokens"
  case decoding = "picture decoding"
  case vision
  case packing
  /// With the embedding of the tokens.
  case forward = "decoder forward"
  case loss = "head: loss and gradient"
  case backward = "decoder backward"
  case sum = "exact sum, reduce"
  case optimizer
  case checkpoint = "checkpoint write"

  /// A step with a picture that is new.
  static let wholeStep = allCases.filter { $0 != .checkpoint }
  /// A step with features that are kept.
  static let withoutPicture = wholeStep.filter { $0 != .decoding && $0 != .vision }
}

/// One unit of rows and an adapter to train on it.
final class StepPhases {
  let base: BaseModel
  let rows: [Example]
  let shape: BatchShape
  let budgets: LayerBudgets
  let adapter: ImageLoRA<Float>
  private let selection: HeadSelection
  private let samples: SampleBuilder
  /// Rows whose pictures are different.
  private let pictured: [Example]
  private let probe: InfluenceProbe<Float>
  private let first: (batch: PackedBatch, shape: BatchShape)
  private let store: CheckpointStore
  private let optimizer = AdamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0)
  private var state: TrainingState
  private var sum: ExactSum

  /// - Parameters:
  ///   - rows: of the same pictures, or each of its own.
  ///   - kvHeads: adapted KV heads, spread evenly over the layers.
  ///   - folder: where checkpoints are written.
  /// - Throws: what is wrong with a row or its pictures.
  init(_ base: BaseModel, rows: [Example], samePictures: Bool, maxLength: Int, rank: Int, kvHeads: Int, folder: String)
    throws
  {
    let text = base.configuration.text
    (self.base, self.rows) = (base, rows)
    pictured = samePictures ? [rows[0]] : rows
    budgets = .even(kvHeads, text)
    let indices = budgets.heads.map { Array(0..<$0) }
    selection = HeadSelection(
      method: "even", numHeads: kvHeads, tau: 0, kvIndices: indices,
      capacity: Array(repeating: text.kvHeads, count: text.layers))
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

    let made = try rows.map(samples.sample)
    let features = try zip(pictured, made).map { try base.featureStore.features(of: $0, sample: $1) }
    let images = zip(pictured, made).map { $1.grids.map(\.patches) }
    shape = BatchShape(Self.packed(made, features), images: images.flatMap(\.self))
    let alone = PackedBatch([made[0]], images: .shared(features[0]))
    first = (alone, BatchShape(alone, images: images[0]))
  }

  private static func packed(_ samples: [Sample], _ features: [[Matrix<Float>]]) -> PackedBatch {
    PackedBatch(samples, images: features.count == 1 ? .shared(features[0]) : .own(features))
  }

  /// One pass through all phases.
  /// - Parameter pause: runs between phases, where the peak is measured.
  func run(pause: () -> Void) throws -> [Phase: Double] {
    var times: [Phase: Double] = [:]
    func timed<T>(_ phase: Phase, _ body: () throws -> T) rethrows -> T {
      let (seconds, result) = try seconds(body)
      times[phase] = seconds
      return result
    }
    let made = try timed(.tokens) { try rows.map(samples.sample) }
    let images = try timed(.decoding) { try zip(pictured, made).map { try samples.images(of: $0, for: $1) } }
    pause()
    let features = timed(.vision) {
      images.map { row in
        row.map { image in
          let patches = Matrix(
            image.patches, rows: image.grid.patches, columns: image.patches.count / image.grid.patches)
          return base.model.vision.forward(patches: patches, grid: image.grid)
        }
      }
    }
    pause()
    let batch = timed(.packing) { Self.packed(made, features) }
    let pass = timed(.forward) { base.forwardSavingActivations(batch, adapter: adapter) }
    let (losses, dHidden) = timed(.loss) { base.model.head.lossAndGradient(pass.hidden, targets: batch.targets) }
    pause()
    adapter.resetGradients()
    timed(.backward) { base.model.decoder.backward(dHidden, pass: pass, adapter: adapter) }
    pause()
    var gradients = try timed(.sum) { try reduced(losses) }
    timed(.optimizer) { update(&gradients, tokens: losses.count) }
    state.parameters = adapter.parameters.values
    try timed(.checkpoint) { try store.save(state) }
    return times
  }

  private func reduced(_ losses: [TokenLoss]) throws -> [Float] {
    let count = adapter.layout.count
    sum.reset()
    sum.add(UnsafeBufferPointer(start: adapter.gradients.base, count: count), at: 0)
    sum.add(losses.reduce(0) { $0 + $1.nll }, at: count)
    sum.add(count: losses.count, at: count + 1)
    try sum.reduce(over: SingleProcess())
    return sum.values(0..<count)
  }

  /// Mean, norm and update, as a step has them.
  private func update(_ gradients: inout [Float], tokens: Int) {
    let scale = 1 / Float(tokens)
    for i in gradients.indices { gradients[i] *= scale }
    let clip = Float(min(1, 1 / max(euclideanNorm(gradients), 1e-12)))
    for i in gradients.indices { gradients[i] *= clip }
    optimizer.update(
      UnsafeMutableBufferPointer(start: adapter.parameters.base, count: adapter.layout.count), gradients: gradients,
      learningRate: 1e-5, state: &state.optimizer)
  }

  /// Seconds of one row's influence: a pass of the frozen base forward and back to its first layer.
  func influenceSeconds() -> Double {
    probe.reset()
    return seconds { base.lossAndGradient(first.batch, adapter: probe) }.seconds
  }

  /// Useful operations of each phase that has products.
  var operations: [Phase: Double] {
    let work = BatchFLOPs(shape, budgets: budgets, rank: adapter.configuration.rank, base.configuration)
    let again = BatchFLOPs.repeatedScores(shape, budgets: budgets, base.configuration)
    // The adapter takes one product of three on the way forward, two on the way back.
    let learns = shape.visual > 0
    return [
      .vision: work.vision, .forward: work.forward + (learns ? work.adapter / 3 : work.adapter), .loss: work.head,
      .backward: work.backward - again + (learns ? work.adapter * 2 / 3 : 0),
    ]
  }

  /// Useful operations of one row's influence; the two estimators' own are left out.
  var influenceOperations: Double {
    let text = base.configuration.text
    let all = LayerBudgets.even(text.layers * text.kvHeads, text)
    let work = BatchFLOPs(first.shape, budgets: all, rank: 1, base.configuration)
    return work.forward + work.head + work.backward
      - BatchFLOPs.repeatedScores(first.shape, budgets: all, base.configuration)
  }
}
