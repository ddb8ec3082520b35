// benchmarks growth: made-up rows of growing length through a real decoder.
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
    abstract: "Forward, loss and backward of made-up rows of growing length: time, operations, memory.",
    discussion: """
      Four fifths of a row are visual tokens of one picture; embeddings are made up, weights are the model's. Memory is \
      the highest that rows of that length added to the process; mapped weights are not in it. Growth is the \
      value over that of the line before.

      Example: benchmarks growth --model DIR --tokens 300 1200 --repeats 3
      """)

  @OptionGroup var common: CommonOptions
  @Option(help: "The base model's folder.") var model: String
  @Option(parsing: .upToNextOption, help: "Lengths of rows.") var tokens = [300, 1200, 4800]
  @Option(help: "Supervised tokens at the end of a row.") var answers = 24
  @Option(help: "Products with the weights; what this processor is best at unless stated.") var precision: Precision?
  @Option(help: "Rank of the adapter.") var rank = 8
  @Flag(help: "Compute rows too for which memory does not seem to be enough.") var anyway = false

  func validate() throws {
    try requireInstructions(precision)
    guard tokens.allSatisfy({ (64...65_536).contains($0) }) else { throw ValidationError("--tokens: give 64 to 65536") }
    guard (1...12).contains(answers) || tokens.allSatisfy({ $0 >= 5 * answers + 80 }) else {
      throw ValidationError("--answers \(answers): give fewer than a fifth of the shortest row")
    }
  }

  func run() throws {
    begin(common)
    let configuration = try ModelConfiguration(folder: model)
    let model = try QwenVLModel<Float>(
      configuration: configuration, checkpoint: try Checkpoint(folder: model), precision: precision)
    let text = configuration.text
    say(
      "model      \(self.model): \(text.layers) layers, hidden \(text.hiddenSize); products in \(model.precision.rawValue)"
    )
    let budgets = LayerBudgets.even(max(1, text.layers * text.kvHeads / 4), text)
    let square = SquareProduct(side: common.side, precision: model.precision)
    let adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(
        rank: rank, alpha: Double(2 * rank), normalization: .inverseSqrtSelected,
        kvIndices: Dictionary(uniqueKeysWithValues: budgets.heads.enumerated().map { ($0, Array(0..<$1)) })),
      text: text)
    adapter.initialize(seed: 0)
    var table = Table([
      "tokens", "visual", "seconds", "growth", "useful GFLOP", "growth", "GFLOP/s", "of peak", "peak memory", "growth",
    ])
    let program = Memory.peakWithoutFiles
    var before: [Double]?
    for count in tokens {
      let needed = LongExample.estimatedBytes(tokens: count, text)
      guard anyway || needed < Memory.available else {
        say(
          "left out   \(count) tokens: about \(mebibytes(needed)) are needed and \(mebibytes(Memory.available)) free; "
            + "--anyway computes them")
        continue
      }
      let row = try LongExample(tokens: count, answers: answers, configuration)
      let work = BatchFLOPs(row.shape, budgets: budgets, rank: rank, configuration)
      let useful =
        work.decoding - BatchFLOPs.repeatedScores(row.shape, budgets: budgets, configuration)
      Memory.forgetPeak()
      _ = row.step(model, adapter)
      let found = (0..<common.repeats).map { _ in (rate: square.measure(), seconds: row.step(model, adapter)) }
      let memory = Memory.peakWithoutFiles - program
      let elapsed = median(found.map(\.seconds))
      let now = [elapsed, useful, memory]
      let growth = now.indices.map { index in before.map { fixed(now[index] / $0[index], 2) } ?? "" }
      table.add([
        "\(count)", "\(row.shape.visual)", fixed(elapsed, 4), growth[0], fixed(useful / 1e9, 2), growth[1],
        gflops(useful / elapsed), percent(median(found.map { useful / ($0.seconds * $0.rate) })), mebibytes(memory),
        growth[2],
      ])
      before = now
    }
    say("peak       \(square.line)")
    say()
    table.show()
  }
}

/// A row that no data hold.
private struct LongExample {
  let shape: BatchShape
  private let input: DecoderInput<Float>
  private let outputPositions: [Int]
  private let targets: [Int32]

  /// One picture of about four fifths of the tokens behind a short prompt.
  init(tokens: Int, answers: Int, _ configuration: ModelConfiguration) throws {
    let side = Int((0.8 * Double(tokens)).squareRoot())
    let (columns, lines) = (side, tokens * 4 / 5 / side)
    let visual = 8..<8 + columns * lines
    var ids = [Int32](repeating: 0, count: tokens)
    for row in visual { ids[row] = configuration.imageTokenID }
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
    shape = BatchShape(input, outputPositions: outputPositions, rows: 1, images: [])
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

  /// What all layers keep for backward.
  static func estimatedBytes(tokens: Int, _ text: TextConfiguration) -> Double {
    let numbers = 2 * text.hiddenSize + 2 * text.attentionHeads * text.headDimension + 2 * text.intermediateSize
    return 4 * Double(text.layers) * Double(tokens) * Double(numbers)
  }
}

/// Memory of this process and machine, in bytes, from /proc.
private enum Memory {
  static var available: Double { field("MemAvailable", of: "/proc/meminfo") }

  /// The highest resident memory since `forgetPeak`, pages of files left out.
  static var peakWithoutFiles: Double {
    field("VmHWM", of: "/proc/self/status") - field("RssFile", of: "/proc/self/status")
  }

  /// Starts the peak anew (proc(5): 5 written to clear_refs).
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
