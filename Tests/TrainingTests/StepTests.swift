// One optimizer step against an independent computation, example by example in double precision.
import Adapters
import Batches
import Datasets
import Foundation
import HuggingFace
import QwenVL
import RunFile
import TestSupport
import Testing
import TinyModels

@testable import Training

@Suite("A step is the mean over all supervised tokens, clipped, by AdamW")
struct StepTests {
  /// A kind of adapter and how examples are computed; how far from the independent computation the result may be.
  struct Setting: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let keys: [String]
    let tolerance: Double
    var family = ModelConfiguration.Family.qwen2_5_vl
  }

  /// Examples alone are the same numbers but for the order of a sum. Those of one image share a prefix, and several in
  /// one pass a matrix multiplication: they differ by fp32 rounding, as models do in the parity tests.
  static let settings = [
    Setting(
      testDescription: "examples alone", keys: ["data.group_by_image=false", "training.max_gradient_norm=.inf"],
      tolerance: 1e-6),
    Setting(
      testDescription: "clipped", keys: ["data.group_by_image=false", "training.max_gradient_norm=0.01"],
      tolerance: 1e-6),
    Setting(
      testDescription: "LoRA",
      keys: ["data.group_by_image=false", "adapter.kind=lora", "adapter.targets=[q_proj, k_proj, v_proj, o_proj]"],
      tolerance: 1e-6),
    Setting(testDescription: "grouped by image", keys: [], tolerance: 1e-4),
    Setting(testDescription: "three in one pass", keys: ["training.micro_batch=3"], tolerance: 1e-4),
    Setting(
      testDescription: "KV heads of a hybrid", keys: ["data.group_by_image=false"], tolerance: 1e-6, family: .qwen3_5),
    Setting(
      testDescription: "heads of both kinds", keys: ["data.group_by_image=false", "adapter.value_heads=both"],
      tolerance: 1e-6, family: .qwen3_5),
    Setting(
      testDescription: "value heads of linear attention, grouped by image",
      keys: ["adapter.value_heads=linear"], tolerance: 1e-4, family: .qwen3_5),
  ]

  @Test("the same bytes on 1, 2 and 3 ranks, and those of the independent computation", arguments: settings)
  func updates(setting: Setting) throws {
    let runs = try [1, 2, 3].map { ranks in
      let run = try TinyRun(setting.keys + ["checkpoint.every_steps=1"], family: setting.family, validation: [])
      let outcome = run.train(ranks: ranks)
      #expect(outcome.isFinished, "\(outcome.messages)")
      return run
    }
    let oracle = try Oracle(runs[0])
    for step in 1...TinyRun.steps {
      let after = try runs[0].checkpoint(step)
      for run in runs[1...] { #expect(try run.checkpoint(step) == after) }
      // The numbers before the first step are in no checkpoint.
      guard step > 1 else { continue }
      let before = try runs[0].checkpoint(step - 1)
      let expected = try oracle.step(from: before, learningRate: try #require(after.learningRates.last), .right)
      #expect(after.tokens.last == expected.tokens)
      #expect(abs(try #require(after.losses.last) - expected.loss) <= 1e-6 * expected.loss)
      #expect(abs(try #require(after.gradientNorms.last) - expected.norm) <= setting.tolerance * expected.norm)
      let distance = expected.distance(to: after, from: before)
      #expect(distance <= setting.tolerance, "step \(step): \(distance)")
      // The comparison must tell wrong sums from the right one.
      for fault in Oracle.Sum.allCases where fault != .right {
        let wrong = try oracle.step(from: before, learningRate: try #require(after.learningRates.last), fault)
        #expect(wrong.distance(to: after, from: before) > 100 * setting.tolerance, "step \(step): \(fault)")
      }
    }
    let norms = try runs[0].checkpoint(TinyRun.steps).gradientNorms.dropFirst()
    if setting.testDescription == "clipped" { #expect(norms.allSatisfy { $0 > oracle.maxGradientNorm }, "\(norms)") }
  }

  @Test(
    "LoRA with dropout, of all linear modules and of the vision tower: the same bytes on 1, 2 and 3 ranks and resumed",
    arguments: [
      ["adapter.targets=all-linear"], ["adapter.targets=[v_proj, visual]", "training.micro_batch=2"],
      ["adapter.targets=visual.merger", "training.activation_memory_mib=0"],
    ], [ModelConfiguration.Family.qwen2_5_vl, .qwen3_vl, .qwen3_5])
  func loraOptions(keys: [String], family: ModelConfiguration.Family) throws {
    let settings =
      ["adapter.kind=lora", "adapter.dropout=0.25", "checkpoint.every_steps=1", "adapter.rank_pattern={visual.*: 1}"]
      .filter { !$0.contains("pattern") || keys[0].contains("visual") } + keys
    let runs = try [1, 2, 3].map { ranks in
      let run = try TinyRun(settings, family: family)
      let outcome = run.train(ranks: ranks)
      #expect(outcome.isFinished, "\(outcome.messages)")
      return run
    }
    let last = try runs[0].checkpoint(TinyRun.steps)
    for run in runs[1...] { #expect(try run.checkpoint(TinyRun.steps) == last) }
    #expect(try runs[0].checkpoint(1).adapter != last.adapter)
    // Goes on from the first step, on another number of ranks.
    let resumed = runs[2].train(ranks: 2, resume: .from(path: runs[1].path(step: 1)))
    #expect(resumed.isFinished, "\(resumed.messages)")
    #expect(try runs[2].checkpoint(TinyRun.steps) == last)
    let without = try TinyRun(settings + ["adapter.dropout=0"], family: family)
    #expect(without.train().isFinished)
    #expect(try without.checkpoint(TinyRun.steps) != last)
  }

  @Test("a rank without an example takes part: three examples of one image on three ranks")
  func idleRanks() throws {
    let lines = ["a", "b", "c"].map {
      TinyExamples.line($0, images: [TinyRun.image(1)], question: "Where is \($0)?", answer: "\($0)\($0)")
    }
    let runs = try [1, 3].map { ranks in
      let run = try TinyRun(["training.global_batch=3"], training: lines, validation: [])
      let outcome = run.train(ranks: ranks)
      #expect(outcome.isFinished, "\(outcome.messages)")
      return run
    }
    #expect(try runs[0].checkpoint(TinyRun.steps) == runs[1].checkpoint(TinyRun.steps))
  }
}

/// What a step should do, from the examples' own gradients.
private struct Oracle {
  /// The right sum and wrong ones that a loop could make.
  enum Sum: CaseIterable {
    case right, oneTwice, oneLeftOut, meanOfMeans
  }

  let base: BaseModel
  let run: RunConfiguration
  let rows: [Example]
  let sampler: Sampler
  var maxGradientNorm: Double { run.training.maxGradientNorm }

  init(_ tiny: TinyRun) throws {
    let found = try tiny.onRanks(1) { job, _ in
      (job.base, job.run, try job.training.examples(0..<job.training.count), job.sampler())
    }[0].get()
    (base, run, rows, sampler) = found
  }

  struct Step {
    var tokens: Int64
    var loss, norm: Double
    var adapter: [String: [Double]] = [:]
    var expAvg: [String: [Double]] = [:]
    var expAvgSq: [String: [Double]] = [:]

    /// The largest difference to a checkpoint, each relative to the tensor's largest number, before or after the step:
    /// a gamma is a tensor of one number, which may come close to 0.
    func distance(to after: SavedCheckpoint, from before: SavedCheckpoint) -> Double {
      var worst = 0.0
      for (before, after, expected) in [
        (before.adapter, after.adapter, adapter), (before.expAvg, after.expAvg, expAvg),
        (before.expAvgSq, after.expAvgSq, expAvgSq),
      ] {
        guard Set(after.keys) == Set(expected.keys) else { return .infinity }
        for (name, values) in expected {
          guard let old = before[name], let new = after[name], new.count == values.count else { return .infinity }
          let scale = max(values.map(abs).max() ?? 0, old.map { Double(abs($0)) }.max() ?? 0)
          let difference = zip(new, values).map { abs(Double($0) - $1) }.max() ?? 0.0
          if difference > 0 { worst = max(worst, difference / scale) }
        }
      }
      return worst
    }
  }

  /// All heads of one kind that the run adapts.
  private func heads(linear: Bool) -> [Int: [Int]] {
    let text = base.configuration.text
    let layers = run.adapter.capacity(text).enumerated().filter { $1 > 0 && text.isLinear($0) == linear }
    return Dictionary(uniqueKeysWithValues: layers.map { ($0, Array(0..<$1)) })
  }

  func step(from saved: SavedCheckpoint, learningRate: Double, _ sum: Sum) throws -> Step {
    let text = base.configuration.text
    let configuration: AdapterConfiguration =
      run.adapter.kind == .lora
      ? .lora(LoRAConfiguration(rank: 2, alpha: 4, targets: [0: Projection.attention, 1: Projection.attention]))
      : .imageLoRA(
        ImageLoRAConfiguration(
          rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: heads(linear: false),
          valueHeadIndices: heads(linear: true)))
    let adapter: any Adapter<Float> = configuration.adapter(text, nil)
    adapter.load(adapter.layout.tensors.flatMap { saved.adapter[$0.name] ?? [] })
    let samples = try base.sampleBuilder(maxLength: 4096)
    var examples = try sampler.examples(step: saved.step).map { index in
      let sample = try samples.sample(for: rows[index])
      let features = try base.featureStore.features(of: rows[index], sample: sample)
      adapter.resetGradients()
      let loss = base.lossAndGradient(PackedBatch([sample], features: features), adapter: adapter)
      return (gradient: adapter.gradients.values.map(Double.init), nll: loss[0].nll, tokens: Double(loss[0].tokens))
    }
    let tokens = examples.reduce(0) { $0 + $1.tokens }
    let loss = examples.reduce(0) { $0 + $1.nll } / tokens
    // An example of an image, for those of text have no gradient with some adapters.
    let first = examples.firstIndex { $0.gradient.contains { $0 != 0 } } ?? 0
    switch sum {
    case .oneTwice: examples.append(examples[first])
    case .oneLeftOut: examples.remove(at: first)
    case .right, .meanOfMeans: break
    }
    var gradient = adapter.gradients.values.map { _ in 0.0 }
    for example in examples {
      let weight = sum == .meanOfMeans ? 1 / (example.tokens * Double(examples.count)) : 1 / tokens
      for i in gradient.indices { gradient[i] += weight * example.gradient[i] }
    }
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    if norm > maxGradientNorm { for i in gradient.indices { gradient[i] *= maxGradientNorm / norm } }
    var step = Step(tokens: Int64(tokens), loss: loss, norm: norm)
    let t = Double(saved.step + 1)
    let (beta1, beta2) = (run.training.beta1, run.training.beta2)
    for tensor in adapter.layout.tensors {
      guard let p = saved.adapter[tensor.name], let m = saved.expAvg[tensor.name], let v = saved.expAvgSq[tensor.name]
      else { continue }
      let g = gradient[tensor.range]
      let newM = zip(m, g).map { beta1 * Double($0) + (1 - beta1) * $1 }
      let newV = zip(v, g).map { beta2 * Double($0) + (1 - beta2) * $1 * $1 }
      step.expAvg[tensor.name] = newM
      step.expAvgSq[tensor.name] = newV
      step.adapter[tensor.name] = p.indices.map { i in
        let (mean, variance) = (newM[i] / (1 - pow(beta1, t)), newV[i] / (1 - pow(beta2, t)))
        let update = run.training.weightDecay * Double(p[i]) + mean / (variance.squareRoot() + run.training.epsilon)
        return Double(p[i]) - learningRate * update
      }
    }
    return step
  }
}
