// benchmarks gemm: GEMMs with frozen weights of real shapes, compared with a square one.
import ArgumentParser
import Formatting
import Tensors

/// The widths of a released or typical model.
enum ModelShape: String, CaseIterable, ExpressibleByArgument {
  case half = "0.5b"
  case three = "3b"

  /// Outputs and inputs of the decoder's and the vision tower's larger matrices.
  var weights: [(name: String, outputs: Int, inputs: Int)] {
    switch self {
    case .half:
      [
        ("q, o", 896, 896), ("k, v", 128, 896), ("gate, up", 4864, 896), ("down", 896, 4864),
        ("vision q k v", 2304, 768), ("vision down", 768, 2048),
      ]
    case .three:
      [
        ("q, o", 2048, 2048), ("k, v", 256, 2048), ("gate, up", 11_008, 2048), ("down", 2048, 11_008),
        ("vision q k v", 3840, 1280), ("vision down", 1280, 3420),
      ]
    }
  }
}

struct GEMMCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "gemm",
    abstract: "Time GEMMs with weights of real shapes, forward (x W^T) and backward (dy W).",
    discussion: """
      As in a model, each GEMM uses another weight than the one before it: copies of a weight take turns. Weights \
      therefore come from memory, not from a cache.

      Example: benchmarks gemm --rows 315 --shapes 0.5b --repeats 3
      """,
    aliases: ["products"])

  @OptionGroup var common: CommonOptions
  @Option(parsing: .upToNextOption, help: "Rows of x, the tokens of a batch.") var rows = [128, 315, 1024]
  @Option(parsing: .upToNextOption, help: "Models whose shapes are used.") var shapes = ModelShape.allCases

  @Option(help: "Compute precision; by default each that this processor has.") var precision: Precision?

  func validate() throws {
    try requireInstructions(precision)
    guard rows.allSatisfy({ (1...65_536).contains($0) }) else { throw ValidationError("--rows: give 1 to 65536") }
  }

  func run() throws {
    begin(common)
    let precisions =
      precision.map { [$0] }
      ?? Precision.allCases.filter { $0 == .float32 || Precision.hasBFloat16Instructions }
    let references = precisions.map { ReferenceGEMM(side: common.side, precision: $0) }
    if precision == nil, precisions.count == 1 {
      say("no bf16    only fp32 is measured, since \(Precision.obstacleToBFloat16 ?? "it was not asked for")")
    }
    var table = Table([
      "shape", "out x in", "rows", "stored", "compute", "forward GFLOP/s", "utilization", "backward GFLOP/s",
      "utilization",
    ])
    for shape in shapes {
      for weight in shape.weights {
        for type in [ElementType.bfloat16, .float32] {
          for rows in rows {
            for reference in references {
              let gemm = WeightGEMM(weight.outputs, weight.inputs, type: type, rows: rows, reference.precision)
              let found = (0..<common.repeats).map { _ in gemm.measure(against: reference.measure()) }
              func middle(_ part: KeyPath<WeightGEMM.Rates, Double>) -> Double {
                median(found.map { $0[keyPath: part] })
              }
              table.add([
                "\(shape.rawValue) \(weight.name)", "\(weight.outputs) x \(weight.inputs)", "\(rows)", type.rawValue,
                reference.precision.rawValue, gflops(middle(\.forward)), percent(middle(\.forwardUtilization)),
                gflops(middle(\.backward)), percent(middle(\.backwardUtilization)),
              ])
            }
          }
        }
      }
    }
    references.forEach { say($0.line) }
    say()
    table.show()
  }
}

/// The forward and the backward GEMM with one shape of weight.
private final class WeightGEMM {
  struct Rates {
    let forward, forwardUtilization, backward, backwardUtilization: Double
  }

  private let weights: [StoredMatrix]
  private let x, dy, dx: Matrix<Float>
  private let flops: Double
  private var turn = 0

  init(_ outputs: Int, _ inputs: Int, type: ElementType, rows: Int, _ precision: Precision) {
    // Larger than the last-level cache of most processors.
    let copies = max(2, min(512, (64 << 20) / (outputs * inputs * type.byteCount)))
    weights = (0..<copies).map { _ in
      StoredMatrix(randomTensor([outputs, inputs], type: type), precision: precision)
    }
    x = randomMatrix(rows, inputs)
    dy = randomMatrix(rows, outputs)
    dx = Matrix(uninitialized: rows, inputs)
    flops = 2 * Double(rows) * Double(outputs) * Double(inputs)
    forward()
    backward()
  }

  private func next() -> StoredMatrix {
    turn = (turn + 1) % weights.count
    return weights[turn]
  }

  private func forward() { _ = next().timesTransposed(x) }
  private func backward() { next().times(dy, into: dx, accumulate: false) }

  /// Measures both.
  /// - Parameter peak: the rate of the reference GEMM, in FLOP/s.
  func measure(against peak: Double) -> Rates {
    let (there, back) = (flops / secondsOfOne(forward), flops / secondsOfOne(backward))
    return Rates(
      forward: there, forwardUtilization: there / peak, backward: back, backwardUtilization: back / peak)
  }
}
