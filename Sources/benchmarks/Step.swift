// benchmarks step: one training batch, phase by phase.
import ArgumentParser
import Batches
import Costs
import Datasets
import Formatting
import Foundation
import Tensors

struct Step: ParsableCommand {
  enum Questions: String, CaseIterable, ExpressibleByArgument {
    /// A batch is one example, or `--micro-batch` of them.
    case single
    /// A batch is an image group: all examples of the same images.
    case grouped
  }

  static let configuration = CommandConfiguration(
    abstract: "Time one training batch by phase, with model FLOPs and utilization of the GEMM peak.",
    discussion: """
      The batch is the first example of the data; with --questions grouped, all examples that share its images; with \
      --micro-batch n, the first n examples, which should have different images. The influence pass (imagelora probe) \
      is also timed, on the same examples.

      Example: benchmarks step --model DIR --data examples.jsonl --repeats 5
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "The base model's folder.") var model: String
  @Option(help: "The examples (JSON Lines).") var data: String
  @Option(help: "Folder of relative image paths; by default the folder of the data.") var imageRoot: String?
  @Option(help: "Of an image, a batch has a single example, or all of them.") var questions = Questions.single
  @Option(help: "Number of images in a batch.") var microBatch = 1
  @Option(help: "Compute precision; by default the fastest of this processor.") var precision: Precision?
  @Option(help: "Rank of the adapter.") var rank = 8
  @Option(help: "Adapted KV heads, spread evenly over the layers; by default a quarter.") var kvHeads: Int?
  @Option(help: "Maximum length of an example, in tokens.") var maxLength = 4096
  @Option(help: "Minimum number of pixels of an image, instead of the folder's limit.") var minPixels: Int?
  @Option(help: "Maximum number of pixels of an image, instead of the folder's limit.") var maxPixels: Int?

  func validate() throws {
    try requireInstructions(precision)
    guard (1...4096).contains(rank) else { throw ValidationError("--rank \(rank): give 1 to 4096") }
    guard microBatch > 0 else { throw ValidationError("--micro-batch \(microBatch): give 1 or more") }
    if let kvHeads, kvHeads < 1 { throw ValidationError("--kv-heads \(kvHeads): give 1 or more") }
  }

  func run() throws {
    begin(common)
    let base = try BaseModel(folder: model, precision: precision, minPixels: minPixels, maxPixels: maxPixels)
    let root = imageRoot ?? URL(fileURLWithPath: data).deletingLastPathComponent().path
    let text = base.configuration.text
    let heads = min(kvHeads ?? max(1, text.totalHeads / 4), text.totalHeads)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let phases = try StepPhases(
      base, groups: try batch(ExampleReader(imageRoot: root).read(data).examples), maxLength: maxLength, rank: rank,
      kvHeads: heads, folder: folder)
    say(
      "model      \(model): \(text.layers) layers, hidden \(text.hiddenSize); compute in \(base.precision.rawValue)")
    let shape = phases.shape
    say(
      "batch      \(plural(shape.examples, "example")), \(shape.tokens) tokens, \(shape.visual) visual, "
        + "\(shape.answers) supervised, \(shape.images.reduce(0, +)) patches of "
        + plural(shape.images.count, "image"))
    say(
      "adapter    rank \(rank), \(heads) of \(text.totalHeads) KV heads from layer "
        + "\(phases.budgets.lowest) on, \(phases.adapter.layout.count) parameters")

    let reference = ReferenceGEMM(side: common.side, precision: base.precision)
    _ = try phases.run {}
    let repeats = try (0..<common.repeats).map { _ in try Repeat(phases, reference) }
    say("peak       \(reference.line)")
    say()
    show(repeats, phases.flops)
    say()
    conclude(repeats, phases)
  }

  /// The examples of the batch, those of an image together.
  private func batch(_ examples: [Example]) throws -> [[Example]] {
    guard !examples.isEmpty else { throw ValidationError("\(data): no examples") }
    switch questions {
    case .single: return examples.prefix(microBatch).map { [$0] }
    case .grouped:
      return imageGroups(of: examples) { _ in 0 }.prefix(microBatch).map { group in group.examples.map { examples[$0] }
      }
    }
  }

  private func show(_ repeats: [Repeat], _ flops: [Phase: Double]) {
    var table = Table(["phase", "seconds", "model GFLOP", "GFLOP/s", "utilization"])
    func add(_ name: String, _ phases: [Phase]) {
      let work = phases.reduce(0) { $0 + (flops[$1] ?? 0) }
      let times = repeats.map { $0.seconds(of: phases) }
      let rate = median(times.map { work / $0 })
      table.add([
        name, fixed(median(times), 6), work > 0 ? fixed(work / 1e9, 3) : "", work > 0 ? gflops(rate) : "",
        work > 0 ? percent(utilization(repeats, phases, work)) : "",
      ])
    }
    for phase in Phase.allCases { add(phase.rawValue, [phase]) }
    add("step, image new", Phase.wholeStep)
    add("step, vision features cached", Phase.withoutVision)
    table.show()
  }

  /// Model FLOPs over time and peak: the median of the repeats' ratios.
  private func utilization(_ repeats: [Repeat], _ phases: [Phase], _ work: Double) -> Double {
    median(repeats.map { work / ($0.seconds(of: phases) * $0.peak) })
  }

  private func conclude(_ repeats: [Repeat], _ phases: StepPhases) {
    func total(_ parts: [Phase]) -> String {
      let work = parts.reduce(0) { $0 + (phases.flops[$1] ?? 0) }
      return fixed(utilization(repeats, parts, work), 3)
    }
    say(
      "utilization of the GEMM peak: \(total(Phase.wholeStep)) with a new image, \(total(Phase.withoutVision)) with "
        + "cached vision features")
    let count = Double(phases.shape.examples)
    // Over the same parts of training.
    func ratio(withVision: Bool) -> String {
      let vision: [Phase] = withVision ? [.vision] : []
      return fixed(
        median(
          repeats.map {
            ($0.influence * count + $0.seconds(of: vision)) / $0.seconds(of: vision + [.forward, .loss, .backward])
          }), 2)
    }
    let seconds = median(repeats.map(\.influence))
    say(
      "influence pass: \(fixed(seconds, 6)) s an example, \(gflops(phases.influenceFLOPs / seconds)) GFLOP/s; "
        + "\(ratio(withVision: false)) times an example's forward, loss and backward in training, "
        + "\(ratio(withVision: true)) with the image's vision in both")
  }
}

/// One pass through all phases, with the GEMM peak measured between them.
private struct Repeat {
  let times: [Phase: Double]
  let influence: Double
  /// The reference GEMM's rate, in FLOP/s.
  let peak: Double

  init(_ phases: StepPhases, _ reference: ReferenceGEMM) throws {
    var rates: [Double] = []
    times = try phases.run { rates.append(reference.measure()) }
    influence = phases.influenceSeconds()
    peak = median(rates)
  }

  func seconds(of phases: [Phase]) -> Double { phases.reduce(0) { $0 + (times[$1] ?? 0) } }
}
