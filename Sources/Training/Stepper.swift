// One optimizer step: this rank's micro-batches one by one, one exact sum over all of them and all ranks, one update.
import Adapters
import Artifacts
import Batches
import Collectives
import Costs
import Datasets
import QwenVL
import RunFile
import Tensors

/// What a step did, the same on every rank but for the times.
package struct StepReport: Sendable, Equatable {
  /// Updates made so far, counting this one.
  package var step: Int
  /// Mean NLL over the supervised tokens of the whole global batch.
  package var loss: Double
  package var tokens: Int
  /// Tokens of the global batch's examples, supervised or not.
  package var inputTokens: Int
  package var learningRate: Double
  /// Global norm of the gradient before clipping.
  package var gradientNorm: Double
  /// Time of this rank's micro-batches, and of waiting for and adding up all ranks' gradients.
  package var computeSeconds, reduceSeconds: Double
  /// Model FLOPs of this rank's micro-batches, with the vision tower for features that were not cached.
  package var flops: Double
  /// Requests of any rank that came with the reduction.
  package var requests: Requests
}

/// Signals that some rank received, agreed on by all with the step's one reduction.
package struct Requests: Sendable, Equatable {
  package var save: Bool
  package var stop: Bool
  package static let none = Requests(save: false, stop: false)
}

/// Computes and applies optimizer steps on this rank.
final class Stepper {
  let adapter: any Adapter<Float>
  let sampler: Sampler
  private let job: Job
  private let optimizer: AdamW
  private let groups: [Int]?
  private let planned: PlannedAdapter
  private let frozenLayers: Int
  private let payload: AllReducePayload
  /// Of the learning rate, for each part of the parameters.
  private let factors: [(range: Range<Int>, factor: Double)]
  private var sum: ExactSum
  /// This rank's speed, and what all ranks had after the last step.
  private var speed = RankSpeed()
  private var speeds: [Double]

  init(job: Job, adapter: any Adapter<Float>, sampler: Sampler) {
    self.job = job
    self.adapter = adapter
    optimizer = job.run.training.optimizer
    self.sampler = sampler
    groups = job.groups
    frozenLayers = job.frozenLayers(below: adapter)
    planned = PlannedAdapter(adapter.configuration, job.base.configuration)
    factors = (job.run.training.rateFactors ?? .plain).ranges(adapter.layout)
    payload = AllReducePayload(parameters: adapter.layout.count, ranks: job.communicator.size)
    sum = ExactSum(count: payload.count)
    speeds = Array(repeating: 1, count: job.communicator.size)
  }

  /// Computes and applies the update after `state.step` finished ones.
  /// - Throws: `TrainingError.notFinite` on every rank alike, with nothing updated; the error of an example that can no
  ///   longer be read.
  /// - Important: Collective.
  func step(_ state: inout OptimizerState, learningRate: Double, requests: Requests) throws -> StepReport {
    let step = state.step + 1
    let imageGroups = sampler.imageGroups(step: state.step, grouping: groups)
    let batches = batches(of: imageGroups)
    let digest = StateDigest(parameters: self.parameters, state)
    var limits = GradientLimits(state, tensors: adapter.layout.tensors.count)
    var (computeSeconds, reduceSeconds, flops) = (0.0, 0.0, 0.0)
    var sums: [Int?] = []
    var mayRefine = true
    while true {
      let start = ContinuousClock.now
      let found = try accumulate(batches, step: step, limits)
      if requests.save { sum.add(count: 1, at: payload[.save]) }
      if requests.stop { sum.add(count: 1, at: payload[.stop]) }
      payload.add(speed, of: job.communicator.rank, to: &sum)
      for (counter, value) in digest.addends { sum.add(count: value, at: payload[counter]) }
      let computed = ContinuousClock.now
      try sum.reduce(over: job.communicator)
      computeSeconds += (computed - start) / .seconds(1)
      reduceSeconds += (.now - computed) / .seconds(1)
      flops += found.flops
      guard StateDigest.areEqual(ranks: job.communicator.size, { sum.count(at: payload[$0]) }) else {
        throw TrainingError.differentState(step: state.step, ranks: StateDigest.odd(try gathered(digest)))
      }
      speeds = payload.speeds(ranks: job.communicator.size, in: sum)
      try requireFinite(step: step, badExamples: found.badExamples)
      guard sum.count(at: payload[.tooLarge]) > 0 else {
        sums = adapter.layout.tensors.enumerated().map { index, tensor in
          sum.exponent(of: tensor.range, in: limits.form(index, addends: batches.count))
        }
        guard mayRefine, limits.refine(sums, addends: batches.count) else { break }
        mayRefine = false
        continue
      }
      mayRefine = false
      // The step begins again with words that have room for what all ranks found.
      limits.raise(
        to: try job.communicator.allGather(found.largest.map { UInt8(truncatingIfNeeded: $0) }).map {
          $0.map { Int(Int8(bitPattern: $0)) }
        })
    }
    let tokens = sum.count(at: payload[.tokens])
    let (gradients, norm) = try clippedGradients(tokens: tokens, step: step, limits, addends: batches.count)
    limits.follow(sums)
    state.gradientExponents = limits.exponents
    let parameters = UnsafeMutableBufferPointer(start: adapter.parameters.base, count: adapter.layout.count)
    optimizer.update(
      parameters, gradients: gradients, learningRate: learningRate, factors: factors, state: &state)
    let nll = sum.value(at: payload[.nll], in: FixedPoint(limit: GradientLimits.nll, addends: batches.count))
    return StepReport(
      step: step, loss: nll / Double(tokens), tokens: tokens,
      inputTokens: imageGroups.reduce(0) { $0 + $1.examples.reduce(0) { $0 + job.training.shapes[$1].tokens } },
      learningRate: learningRate, gradientNorm: norm, computeSeconds: computeSeconds, reduceSeconds: reduceSeconds,
      flops: flops,
      requests: Requests(save: sum.count(at: payload[.save]) > 0, stop: sum.count(at: payload[.stop]) > 0))
  }

  private func batches(of imageGroups: [ImageGroup]) -> [[ImageGroup]] {
    microBatches(of: imageGroups, examples: job.run.examplesPerPass) { job.training.shapes[$0].visual == 0 }
  }

  /// Readies the memory of what the largest pass of the next step will save, as part of a run's preparation.
  func readyMemory(after step: Int) {
    let budget = ActivationBudget(bytes: job.activationBytes, precision: job.base.precision)
    let bytes = batches(of: sampler.imageGroups(step: step, grouping: groups)).map { batch in
      RankMemory(
        job.training.shape(batch), adapter: planned, imageTokens: 0, hiddenStates: 0, featureMiB: 0,
        activations: budget, job.base.configuration
      ).activations
    }
    readyMatrixMemory(bytes: Int(min(bytes.max() ?? 0, 0x1p50)))
  }

  private var parameters: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: adapter.parameters.base, count: adapter.layout.count)
  }

  /// Throws where ranks hold different adapters or moments, as after a flipped bit of memory: before a checkpoint.
  /// - Returns: the digest of what all of them hold.
  /// - Important: Collective.
  func requireSameState(_ state: OptimizerState) throws -> StateDigest {
    let digest = StateDigest(parameters: parameters, state)
    let digests = try gathered(digest)
    if digests.contains(where: { $0 != digests[0] }) {
      throw TrainingError.differentState(step: state.step, ranks: StateDigest.odd(digests))
    }
    return digest
  }

  /// The digests of all ranks.
  /// - Important: Collective.
  private func gathered(_ digest: StateDigest) throws -> [UInt64] {
    let bytes = withUnsafeBytes(of: digest.value.littleEndian, Array.init)
    return try job.communicator.allGather(bytes).map { $0.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
  }

  /// What a rank found while it computed its micro-batches.
  private struct Found {
    /// The examples of the first micro-batch whose numbers are not finite, nil where all are finite.
    var badExamples: String?
    /// Exponents of the gradients that were too large for the sum's words, by tensor; otherwise the least there is.
    var largest: [Int]
    var flops = 0.0
  }

  /// Adds the gradients and counters of this rank's micro-batches to the exact sum, which begins anew.
  private func accumulate(_ batches: [[ImageGroup]], step: Int, _ limits: GradientLimits) throws -> Found {
    let all = batches.map { BatchFLOPs(job.training.shape($0), adapter: planned, job.base.configuration) }
    let costs = all.map(\.decoding)
    let own = partition(costs: costs, speeds: speeds)[job.communicator.rank]
    sum.reset()
    var found = Found(largest: Array(repeating: Int(Int8.min), count: adapter.layout.tensors.count))
    let start = ContinuousClock.now
    let decoding = own.reduce(0) { $0 + costs[$1] }
    defer { speed.took((.now - start) / .seconds(1), for: decoding) }
    found.flops = decoding
    for index in own {
      let batch = batches[index]
      let examples = batch.flatMap(\.examples)
      let computed = job.base.featureStore.tally.computed
      let passed = job.base.hiddenStateStore.tally
      let isFinite = try job.communicator.watchdog.during("computing \(job.training.names(examples)) of step \(step)") {
        try add(batch, step: step, limits, addends: batches.count, &found.largest)
      }
      // Features of a tower with an adapter are computed each time, and count in `decoding`.
      let new = Double(job.base.featureStore.tally.computed - computed)
      found.flops += all[index].vision * new / Double(max(1, job.training.shape(batch).images.count))
      found.flops -= frozenFLOPs(batch, known: passed)
      if !isFinite, found.badExamples == nil { found.badExamples = try job.training.ids(examples) }
    }
    return found
  }

  /// Of the layers below the adapted ones, as far as hidden states were known.
  /// - Parameter passed: the tokens before the micro-batch.
  private func frozenFLOPs(_ batch: [ImageGroup], known passed: HiddenStateStore.Tally) -> Double {
    guard frozenLayers > 0 else { return 0 }
    let now = job.base.hiddenStateStore.tally
    let (known, computed) = (Double(now.known - passed.known), Double(now.computed - passed.computed))
    let below = BatchFLOPs.forward(
      below: frozenLayers, job.training.shape(batch), job.base.configuration.text)
    return known > 0 ? below * known / (known + computed) : 0
  }

  /// Adds a micro-batch's gradient and counts; false if any of its numbers is not finite.
  private func add(
    _ batch: [ImageGroup], step: Int, _ limits: GradientLimits, addends: Int, _ largest: inout [Int]
  ) throws -> Bool {
    let dropout = job.run.adapter.dropout
    let packed = try job.base.learnedBatch(
      batch, of: job.training, adapter: adapter,
      dropout: dropout > 0 ? Dropout(rate: dropout, seed: job.run.training.seed, step: step) : nil,
      activationBytes: job.activationBytes, frozenLayers: frozenLayers)
    adapter.resetGradients()
    let losses = job.base.lossAndGradient(packed, adapter: adapter, activationBytes: job.activationBytes)
    let nll = sum.add(
      losses.reduce(0) { $0 + $1.nll }, at: payload[.nll],
      in: FixedPoint(limit: GradientLimits.nll, addends: addends))
    var isFinite = nll == .added
    for (index, tensor) in adapter.layout.tensors.enumerated() {
      let values = UnsafeBufferPointer(
        start: adapter.gradients.base + tensor.range.lowerBound, count: tensor.range.count)
      switch sum.add(values, at: tensor.range.lowerBound, in: limits.form(index, addends: addends)) {
      case .added: continue
      case .tooLarge(let exponent):
        largest[index] = max(largest[index], min(exponent, Int(Int8.max)))
        sum.add(count: 1, at: payload[.tooLarge])
      case .notFinite: isFinite = false
      }
    }
    if !isFinite { sum.add(count: 1, at: payload[.notFinite]) }
    sum.add(count: losses.reduce(0) { $0 + $1.tokens }, at: payload[.tokens])
    return isFinite
  }

  /// All ranks see the same count of numbers that are not finite, so all refuse the same step.
  private func requireFinite(step: Int, badExamples: String?) throws {
    guard sum.count(at: payload[.notFinite]) > 0 else { return }
    let names = try job.communicator.allGather(Array((badExamples ?? "").utf8)).map {
      String(decoding: $0, as: UTF8.self)
    }
    let rank = names.firstIndex { !$0.isEmpty } ?? 0
    throw TrainingError.notFinite(step: step, what: "loss or gradient of example \(names[rank]) (rank \(rank))")
  }

  /// The mean gradient over the global batch's supervised tokens, scaled down to the largest norm allowed, and its norm
  /// before that.
  private func clippedGradients(
    tokens: Int, step: Int, _ limits: GradientLimits, addends: Int
  ) throws -> (gradients: [Float], norm: Double) {
    var gradients = adapter.layout.tensors.enumerated().flatMap { index, tensor in
      sum.values(tensor.range, in: limits.form(index, addends: addends))
    }
    let scale = 1 / Float(tokens)
    for i in gradients.indices { gradients[i] *= scale }
    let norm = euclideanNorm(gradients)
    guard norm.isFinite else { throw TrainingError.notFinite(step: step, what: "the gradient's norm") }
    let limit = job.run.training.maxGradientNorm
    if norm > limit {
      let clip = Float(limit / norm)
      for i in gradients.indices { gradients[i] *= clip }
    }
    return (gradients, norm)
  }
}

extension RunConfiguration.Training {
  fileprivate var optimizer: AdamW { AdamW(beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay) }
}
