// benchmarks growth: made-up examples of growing length through a real decoder.
import Adapters
import ArgumentParser
import Batches
import Costs
import Formatting
import Foundation
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

struct Growth: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Forward, loss and backward of made-up examples of growing length: time, FLOPs, memory.",
    discussion: """
      Four fifths of an example are visual tokens of one image. Embeddings are made up; weights are the model's. \
      Memory is the peak that examples of that length added to the process, without mapped weights. Growth is the \
      value over that of the line above.

      Example: benchmarks growth --model DIR --tokens 300 1200 --repeats 3
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "The base model's folder.") var model: String
  @Option(parsing: .upToNextOption, help: "Lengths of examples, in tokens.") var tokens = [300, 1200, 4800]
  @Option(help: "Supervised tokens at the end of an example.") var answers = 24
  @Option(help: "Compute precision; by default the fastest of this processor.") var precision: Precision?
  @Option(help: "Rank of the adapter.") var rank = 8
  @Flag(help: "Compute examples even if memory seems too small for them.") var anyway = false

  func validate() throws {
    try requireInstructions(precision)
    guard tokens.allSatisfy({ (64...65_536).contains($0) }) else { throw ValidationError("--tokens: give 64 to 65536") }
    guard (1...12).contains(answers) || tokens.allSatisfy({ $0 >= 5 * answers + 80 }) else {
      throw ValidationError("--answers \(answers): give fewer than a fifth of the shortest example")
    }
  }

  func run() throws {
    begin(common)
    let configuration = try ModelConfiguration(folder: model)
    let model = try QwenVLModel<Float>(
      configuration: configuration, checkpoint: try Checkpoint(folder: model), precision: precision)
    let text = configuration.text
    say(
      "model      \(self.model): \(text.layers) layers, hidden \(text.hiddenSize); "
        + "compute in \(model.precision.rawValue)")
    let budgets = LayerBudgets.even(max(1, text.totalHeads / 4), capacity: text.headCapacity)
    let reference = ReferenceGEMM(side: common.side, precision: model.precision)
    let adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(
        rank: rank, alpha: Double(2 * rank), normalization: .inverseSqrtSelected,
        kvIndices: Dictionary(uniqueKeysWithValues: budgets.heads.enumerated().map { ($0, Array(0..<$1)) })),
      text: text)
    adapter.initialize(seed: 0)
    var table = Table([
      "tokens", "visual", "seconds", "growth", "model GFLOP", "growth", "GFLOP/s", "utilization", "peak memory",
      "growth",
    ])
    let program = Memory.peakWithoutFiles
    var before: [Double]?
    for count in tokens {
      let needed = LongExample.estimatedBytes(tokens: count, text)
      guard anyway || needed < Memory.available else {
        say(
          "left out   \(count) tokens: they need about \(mebibytes(needed)), \(mebibytes(Memory.available)) are free; "
            + "--anyway computes them")
        continue
      }
      let example = try LongExample(tokens: count, answers: answers, configuration)
      let work = BatchFLOPs(example.shape, budgets: budgets, rank: rank, configuration)
      let flops =
        work.decoding - BatchFLOPs.repeatedScores(example.shape, budgets: budgets, configuration)
      Memory.forgetPeak()
      _ = example.step(model, adapter)
      let found = (0..<common.repeats).map { _ in (rate: reference.measure(), seconds: example.step(model, adapter)) }
      let memory = Memory.peakWithoutFiles - program
      let elapsed = median(found.map(\.seconds))
      let now = [elapsed, flops, memory]
      let growth = now.indices.map { index in before.map { fixed(now[index] / $0[index], 2) } ?? "" }
      table.add([
        "\(count)", "\(example.shape.visual)", fixed(elapsed, 4), growth[0], fixed(flops / 1e9, 2), growth[1],
        gflops(flops / elapsed), percent(median(found.map { flops / ($0.seconds * $0.rate) })), mebibytes(memory),
        growth[2],
      ])
      before = now
    }
    say("peak       \(reference.line)")
    say()
    table.show()
  }
}

/// A made-up example.
private struct LongExample {
  let shape: BatchShape
  private let input: DecoderInput<Float>
  private let outputPositions: [Int]
  private let targets: [Int32]

  /// A short prompt, then one image of about four fifths of the tokens.
  init(tokens: Int, answers: Int, _ configuration: ModelConfiguration) throws {
    let side = Int((0.8 * Double(tokens)).squareRoot())
    let (columns, lines) = (side, tokens * 4 / 5 / side)
    let visual = 8..<8 + columns * lines
    var ids = [Int32](repeating: 0, count: tokens)
    for token in visual { ids[token] = configuration.imageTokenID }
    let merge = configuration.vision.spatialMergeSize
    let grid = GridTHW(t: 1, h: lines * merge, w: columns * merge)
    let positions = try mropePositions(
      inputIDs: ids, imageTokenID: configuration.imageTokenID, grids: [grid], mergeSize: merge
    ).positions
    let embeddings = randomMatrix(tokens, configuration.text.hiddenSize)
    input = DecoderInput(
      embeddings: embeddings, positions: positions,
      visual: [VisualSpan(tokens: visual, features: embeddings.rows(visual))])
    outputPositions = Array(tokens - answers - 1..<tokens - 1)
    targets = outputPositions.map { Int32($0 % configuration.text.vocabularySize) }
    shape = BatchShape(input, outputPositions: outputPositions, examples: 1, images: [])
  }

  /// Seconds of forward, loss and backward.
  func step(_ model: QwenVLModel<Float>, _ adapter: ImageLoRA<Float>) -> Double {
    adapter.resetGradients()
    return seconds {
      let pass = model.decoder.forwardSavingActivations(input, outputPositions: outputPositions, adapter: adapter)
      let (_, dHidden) = model.head.lossAndGradient(pass.hidden, targets: targets)
      model.decoder.backward(dHidden, pass: pass, adapter: adapter)
    }.seconds
  }

  /// Bytes of the activations that all layers save for backward.
  static func estimatedBytes(tokens: Int, _ text: TextConfiguration) -> Double {
    let values = 2 * text.hiddenSize + 2 * text.attentionHeads * text.headDimension + 2 * text.intermediateSize
    return 4 * Double(text.layers) * Double(tokens) * Double(values)
  }
}

/// Memory of this process and machine, in bytes, from /proc.
private enum Memory {
  static var available: Double { field("MemAvailable", of: "/proc/meminfo") }

  /// Peak resident memory since `forgetPeak`, without mapped files.
  static var peakWithoutFiles: Double {
    field("VmHWM", of: "/proc/self/status") - field("RssFile", of: "/proc/self/status")
  }

  /// Resets the peak (proc(5): 5 written to clear_refs).
  static func forgetPeak() {
    guard let file = FileHandle(forWritingAtPath: "/proc/self/clear_refs") else { return }
    try? file.write(contentsOf: Data("5".utf8))
  }

  private static func field(_ name: String, of file: String) -> Double {
    let lines = (try? String(contentsOfFile: file, encoding: .utf8))?.split(separator: "\n") ?? []
    let line = lines.first { $0.hasPrefix(name + ":") }
    return 1024
      * (line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap { Double($0) } ?? 0)
  }
}
