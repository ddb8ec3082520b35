// benchmarks step: one training unit, phase by phase.
import ArgumentParser
import Batches
import Costs
import Datasets
import Formatting
import Foundation
import Tensors

struct Step: ParsableCommand {
  enum Questions: String, CaseIterable, ExpressibleByArgument {
    /// A unit is one row.
    case single
    /// A unit is all rows of one picture.
    case grouped
  }

  static let configuration = CommandConfiguration(
    abstract: "One training unit by phase: time, useful operations, share of the product peak.",
    discussion: """
      The unit is the first row of the data, with --questions grouped the rows that share its pictures, or with \
      --micro-batch as many first rows, which should have pictures of their own. The influence \
      pass (imagelora probe) is timed on the first row beside it.

      Example: benchmarks step --model DIR --data rows.jsonl --repeats 5
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "The base model's folder.") var model: String
  @Option(help: "Rows (JSON Lines).") var data: String
  @Option(help: "Where relative image paths start; the data's folder unless stated.") var imageRoot: String?
  @Option(help: "What a unit is.") var questions = Questions.single
  @Option(help: "Rows of different pictures that are computed together.") var microBatch = 1
  @Option(help: "Products with the weights; what this processor is best at unless stated.") var precision: Precision?
  @Option(help: "Rank of the adapter.") var rank = 8
  @Option(help: "Adapted KV heads, spread evenly over the layers; a quarter of all unless stated.") var kvHeads: Int?
  @Option(help: "Longest row, in tokens.") var maxLength = 4096
  @Option(help: "Fewest pixels of a picture, instead of the folder's limit.") var minPixels: Int?
  @Option(help: "Most pixels of a picture, instead of the folder's limit.") var maxPixels: Int?

  func validate() throws {
    try requireInstructions(precision)
    guard (1...4096).contains(rank) else { throw ValidationError("--rank \(rank): give 1 to 4096") }
    guard microBatch == 1 || questions == .single, microBatch > 0 else {
      throw ValidationError("--micro-batch \(microBatch): give 1 or more, and no --questions grouped")
    }
    if let kvHeads, kvHeads < 1 { throw ValidationError("--kv-heads \(kvHeads): give 1 or more") }
  }

  func run() throws {
    begin(common)
    let base = try BaseModel(folder: model, precision: precision, minPixels: minPixels, maxPixels: maxPixels)
    let root = imageRoot ?? URL(fileURLWithPath: data).deletingLastPathComponent().path
    let text = base.configuration.text
    let heads = min(kvHeads ?? max(1, text.layers * text.kvHeads / 4), text.layers * text.kvHeads)
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("benchmarks-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let phases = try StepPhases(
      base, rows: try unit(ExampleReader(imageRoot: root).read(data).rows), samePictures: microBatch == 1,
      maxLength: maxLength, rank: rank, kvHeads: heads, folder: folder)
    say(
      "model      \(model): \(text.layers) layers, hidden \(text.hiddenSize); products in \(base.precision.rawValue)")
    let shape = phases.shape
    say(
      "unit       \(plural(shape.rows, "row")), \(shape.tokens) tokens, \(shape.visual) visual, \(shape.answers) supervised, "
        + "\(shape.images.reduce(0, +)) patches of \(plural(shape.images.count, "picture"))")
    say(
      "adapter    rank \(rank), \(heads) of \(text.layers * text.kvHeads) KV heads from layer \(phases.budgets.lowest) on, "
        + "\(phases.adapter.layout.count) numbers")

    let square = SquareProduct(side: common.side, precision: base.precision)
    _ = try phases.run {}
    let repeats = try (0..<common.repeats).map { _ in try Repeat(phases, square) }
    say("peak       \(square.line)")
    say()
    show(repeats, phases.operations)
    say()
    conclude(repeats, phases)
  }

  /// The rows of the unit.
  private func unit(_ rows: [Example]) throws -> [Example] {
    guard !rows.isEmpty else { throw ValidationError("\(data): no rows") }
    switch questions {
    case .single: return Array(rows.prefix(microBatch))
    case .grouped:
      let keys = imageGroups(of: rows)
      return Array(zip(rows, keys).filter { $0.1 == keys[0] }.map(\.0).prefix(ImageGroup.maximumRows))
    }
  }

  private func show(_ repeats: [Repeat], _ operations: [Phase: Double]) {
    var table = Table(["phase", "seconds", "useful GFLOP", "GFLOP/s", "of peak"])
    func add(_ name: String, _ phases: [Phase]) {
      let work = phases.reduce(0) { $0 + (operations[$1] ?? 0) }
      let times = repeats.map { $0.seconds(of: phases) }
      let rate = median(times.map { work / $0 })
      table.add([
        name, fixed(median(times), 6), work > 0 ? fixed(work / 1e9, 3) : "", work > 0 ? gflops(rate) : "",
        work > 0 ? percent(share(repeats, phases, work)) : "",
      ])
    }
    for phase in Phase.allCases { add(phase.rawValue, [phase]) }
    add("step, picture new", Phase.wholeStep)
    add("step, features kept", Phase.withoutPicture)
    table.show()
  }

  /// Useful operations over time and peak, each repeat by itself.
  private func share(_ repeats: [Repeat], _ phases: [Phase], _ work: Double) -> Double {
    median(repeats.map { work / ($0.seconds(of: phases) * $0.peak) })
  }

  private func conclude(_ repeats: [Repeat], _ phases: StepPhases) {
    func total(_ parts: [Phase]) -> String {
      let work = parts.reduce(0) { $0 + (phases.operations[$1] ?? 0) }
      return fixed(share(repeats, parts, work), 3)
    }
    say(
      "useful FLOPs / (time x peak): \(total(Phase.wholeStep)) with a new picture, \(total(Phase.withoutPicture)) with its "
        + "features kept")
    let passes: [Phase] = [.forward, .loss, .backward]
    let rows = Double(phases.rows.count)
    let ratio = median(repeats.map { $0.influence / ($0.seconds(of: passes) / rows) })
    let seconds = median(repeats.map(\.influence))
    say(
      "influence pass: \(fixed(seconds, 6)) s a row, \(gflops(phases.influenceOperations / seconds)) GFLOP/s; "
        + "\(fixed(ratio, 2)) times a row's forward, loss and backward in training")
  }
}

/// One pass through all phases, with the peak measured between them.
private struct Repeat {
  let times: [Phase: Double]
  let influence: Double
  /// Operations a second.
  let peak: Double

  init(_ phases: StepPhases, _ square: SquareProduct) throws {
    var rates: [Double] = []
    times = try phases.run { rates.append(square.measure()) }
    influence = phases.influenceSeconds()
    peak = median(rates)
  }

  func seconds(of phases: [Phase]) -> Double { phases.reduce(0) { $0 + (times[$1] ?? 0) } }
}
