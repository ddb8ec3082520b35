// One optimizer step: this rank's micro-batches one by one, one exact sum over all of them and all ranks, one update.
import Adapters
import Collectives
import Datasets
import Foundation
import QwenVL
import Tensors
import Units

/// What a step did, the same on every rank but for the times.
package struct StepReport: Sendable, Equatable {
  /// Updates made so far, counting this one.
  package var step: Int
  /// Mean NLL over the supervised tokens of the whole global batch.
  package var loss: Double
  package var tokens: Int
  package var learningRate: Double
  /// Global norm of the gradient before clipping.
  package var gradientNorm: Double
  /// Time of this rank's micro-batches, and of waiting for and adding up all ranks' gradients.
  package var computeSeconds, reduceSeconds: Double
  /// Requests of any rank that came with the reduction.
  package var requests: Requests
}

/// Signals that some rank received, agreed on by all with the step's one reduction.
package struct Requests: Sendable, Equatable {
  package var save: Bool
  package var stop: Bool
  package static let none = Requests(save: false, stop: false)
}

/// The words of a step's one reduction: the gradient of every trainable number, then a few counts.
struct StepWords {
  enum Count: Int, CaseIterable {
    case nll, tokens, save, stop
  }

  /// The counts in words; the exact sum adds its own tally of numbers that are not finite.
  static let summary = "counts: loss, tokens, not finite, save, stop"

  let gradients: Range<Int>
  var count: Int { gradients.count + Count.allCases.count }
  subscript(_ word: Count) -> Int { gradients.count + word.rawValue }
}

/// Runs steps on this rank.
final class Stepper {
  let job: Job
  let adapter: any Adapter<Float>
  var optimizer: AdamW
  let sampler: Sampler
  private let groups: [Int]?
  private let planned: PlannedAdapter
  private let words: StepWords
  private var sum: ExactSum

  init(job: Job, adapter: any Adapter<Float>, optimizer: AdamW) {
    self.job = job
    self.adapter = adapter
    self.optimizer = optimizer
    sampler = job.sampler()
    groups = job.groups
    planned = PlannedAdapter(adapter.configuration, layers: job.base.configuration.text.layers)
    words = StepWords(gradients: 0..<adapter.layout.count)
    sum = ExactSum(count: words.count)
  }

  /// Bytes that a rank hands to the step's one reduction: the adapter's numbers and `StepWords.Count`'s words.
  static func reducedBytes(parameters: Int) -> (gradients: Int, counts: Int) {
    // The exact sum carries one more word: how many numbers were not finite.
    (parameters * MemoryLayout<Int128>.stride, (StepWords.Count.allCases.count + 1) * MemoryLayout<Int128>.stride)
  }

  /// Computes and applies the update after `optimizer.step` finished ones.
  /// - Throws: `TrainingError.notFinite` on every rank alike, with nothing updated; the error of a row that can no
  ///   longer be read.
  /// - Important: Collective.
  func run(learningRate: Double, requests: Requests) throws -> StepReport {
    let start = ContinuousClock.now
    let step = optimizer.step
    let batches = microBatches(of: sampler.units(step: step, grouping: groups), rows: job.run.rowsPerPass) {
      job.training.shapes[$0].visual == 0
    }
    let costs = batches.map {
      UnitOperations(job.training.shape($0), adapter: planned, job.base.configuration).decoding
    }
    let hands = deal(units: costs, ranks: job.communicator.size)
    sum.reset()
    var badRows: String?
    for index in hands[job.communicator.rank] {
      let batch = batches[index]
      let rows = batch.flatMap(\.rows).map { job.training.rows[$0] }
      let finite = try job.communicator.activity.during("computing \(names(rows)) of step \(step + 1)") {
        try add(batch)
      }
      if !finite, badRows == nil { badRows = rows.map(\.id).joined(separator: ", ") }
    }
    if requests.save { sum.add(count: 1, at: words[.save]) }
    if requests.stop { sum.add(count: 1, at: words[.stop]) }
    let computed = ContinuousClock.now
    try sum.reduce(over: job.communicator)
    let reduced = ContinuousClock.now

    try refuseFailures(step: step + 1, badRows: badRows)
    let tokens = sum.count(at: words[.tokens])
    var gradients = sum.values(words.gradients)
    let scale = 1 / Float(tokens)
    for i in gradients.indices { gradients[i] *= scale }
    let norm = euclideanNorm(gradients)
    guard norm.isFinite else { throw TrainingError.notFinite(step: step + 1, what: "the gradient's norm") }
    let limit = job.run.training.maxGradientNorm
    if norm > limit {
      let clip = Float(limit / norm)
      for i in gradients.indices { gradients[i] *= clip }
    }
    let parameters = UnsafeMutableBufferPointer(start: adapter.parameters.base, count: adapter.layout.count)
    optimizer.update(parameters, gradients: gradients, learningRate: learningRate)
    return StepReport(
      step: step + 1, loss: sum.value(at: words[.nll]) / Double(tokens), tokens: tokens, learningRate: learningRate,
      gradientNorm: norm, computeSeconds: (computed - start) / .seconds(1),
      reduceSeconds: (reduced - computed) / .seconds(1),
      requests: Requests(save: sum.count(at: words[.save]) > 0, stop: sum.count(at: words[.stop]) > 0))
  }

  /// Adds a micro-batch's gradient and counts; false if any of its numbers is not finite.
  private func add(_ batch: [Datasets.Unit]) throws -> Bool {
    let packed = try job.base.packedBatch(batch, of: job.training)
    adapter.resetGradients()
    let losses = job.base.lossAndGradient(packed, adapter: adapter, activationBytes: job.run.activationBytes)
    let nll = losses.reduce(0) { $0 + $1.nll }
    let before = sum.nonFinite
    sum.add(
      UnsafeBufferPointer(start: adapter.gradients.base, count: adapter.layout.count), at: words.gradients.lowerBound)
    sum.add(nll, at: words[.nll])
    sum.add(count: losses.reduce(0) { $0 + $1.tokens }, at: words[.tokens])
    return sum.nonFinite == before
  }

  /// All ranks see the same count of numbers that are not finite, so all refuse the same step.
  private func refuseFailures(step: Int, badRows: String?) throws {
    guard sum.nonFinite > 0 else { return }
    let names = try job.communicator.allGather(Array((badRows ?? "").utf8)).map { String(decoding: $0, as: UTF8.self) }
    let rank = names.firstIndex { !$0.isEmpty } ?? 0
    throw TrainingError.notFinite(step: step, what: "loss or gradient of row \(names[rank]) (rank \(rank))")
  }
}

extension BaseModel {
  /// Examples that are computed together: one unit, whose examples have the same images, or several units of one each.
  func packedBatch(_ units: [Datasets.Unit], of data: PreparedRows) throws -> PackedBatch {
    let rows = units.flatMap(\.rows).map { data.rows[$0] }
    let samples = try rows.map(data.samples.sample)
    if units.count == 1 {
      return PackedBatch(samples, images: .shared(try featureStore.features(of: rows[0], sample: samples[0])))
    }
    return PackedBatch(
      samples, images: .own(try zip(rows, samples).map { try featureStore.features(of: $0, sample: $1) }))
  }
}
