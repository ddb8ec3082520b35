// benchmarks delta-rule: the gated delta rule of growing length at the shapes of Qwen3.5.
import ArgumentParser
import Formatting
import Layers
import Tensors

struct DeltaRuleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "delta-rule",
    abstract: "Time the gated delta rule of Qwen3.5, forward and backward, and its share of a layer.",
    discussion: """
      The share is of a layer whose projections and MLP reach the GEMM peak, forward and backward to inputs together. \
      Growth is the time over that of the line above, with the ratio of the tokens in brackets.

      Example: benchmarks delta-rule --tokens 300 1200 --repeats 3
      """)

  @OptionGroup var common: CommonOptions
  @Option(parsing: .upToNextOption, help: "Lengths of sequences.") var tokens = [300, 1200, 4800]
  @Option(parsing: .upToNextOption, help: "Models whose shapes are used.") var shapes = HybridShape.allCases

  @Option(help: "Rows of a chunk.") var chunk = GatedDeltaRule<Float>.usualChunk

  func validate() throws {
    guard chunk > 0 else { throw ValidationError("--chunk: give at least 1") }
    guard tokens.allSatisfy({ (1...65_536).contains($0) }) else { throw ValidationError("--tokens: give 1 to 65536") }
  }

  func run() throws {
    begin(common)
    let reference = ReferenceGEMM(side: common.side, precision: .float32)
    var table = Table([
      "shape", "tokens", "forward", "growth", "GFLOP/s", "backward", "growth", "GFLOP/s", "utilization",
      "share of a layer",
    ])
    for shape in shapes {
      var before: (forward: Double, backward: Double, tokens: Int)?
      for count in tokens {
        let input = RuleInput(shape.rule(chunk: chunk), tokens: count)
        let found = (0..<common.repeats).map { _ in
          (rate: reference.measure(), there: secondsOfOne(input.forward), back: secondsOfOne(input.backward))
        }
        let (there, back) = (median(found.map(\.there)), median(found.map(\.back)))
        let (flopsThere, flopsBack) = (2 * shape.forward(count, chunk), 2 * shape.backward(count, chunk))
        func growth(_ now: Double, _ then: Double?) -> String {
          guard let then, let before else { return "" }
          return "\(fixed(now / then, 1)) (\(fixed(Double(count) / Double(before.tokens), 1)))"
        }
        // Both ways.
        let others = 4 * shape.others(count)
        table.add([
          shape.rawValue, "\(count)", time(there), growth(there, before?.forward), gflops(flopsThere / there),
          time(back), growth(back, before?.backward), gflops(flopsBack / back),
          percent(median(found.map { (flopsThere + flopsBack) / ($0.there + $0.back) / $0.rate })),
          percent(median(found.map { ($0.there + $0.back) / ($0.there + $0.back + others / $0.rate) })),
        ])
        before = (there, back, count)
      }
    }
    say(reference.line)
    say()
    table.show()
  }
}

/// Sizes of Qwen3.5 that differ in their layers of linear attention.
enum HybridShape: String, CaseIterable, ExpressibleByArgument {
  case small = "0.8b"
  case large = "4b"

  private var hidden: Double { self == .small ? 1024 : 2560 }
  private var intermediate: Double { self == .small ? 3584 : 9216 }

  private var keyHeads: Double { 16 }
  private var valueHeads: Double { self == .small ? 16 : 32 }
  /// Of keys and of values.
  private var dimension: Double { 128 }

  func rule(chunk: Int) -> GatedDeltaRule<Float> {
    GatedDeltaRule(
      keyHeads: Int(keyHeads), valueHeads: Int(valueHeads), keyDimension: Int(dimension),
      valueDimension: Int(dimension), chunk: chunk)
  }

  /// Multiply-adds of the rule, triangles counted half.
  func forward(_ tokens: Int, _ chunk: Int) -> Double {
    let (d, c) = (dimension, Double(chunk))
    return Double(tokens) * (valueHeads * (3 * d * d + c * d) + keyHeads * c * d)
  }

  func backward(_ tokens: Int, _ chunk: Int) -> Double {
    let (d, c) = (dimension, Double(chunk))
    return Double(tokens) * (valueHeads * (7 * d * d + 4 * c * d) + keyHeads * c * d)
  }

  /// Multiply-adds of the layer's projections and MLP, one way.
  func others(_ tokens: Int) -> Double {
    let (K, V) = (keyHeads * dimension, valueHeads * dimension)
    return Double(tokens) * hidden * (2 * K + 3 * V + 2 * valueHeads + 3 * intermediate)
  }
}

/// Random queries, keys and values; decays from nearly none to strong, and any write strengths.
private struct RuleInput {
  private let rule: GatedDeltaRule<Float>
  private let x, g, beta, o, dO: Matrix<Float>
  private let states: [Matrix<Float>]

  init(_ rule: GatedDeltaRule<Float>, tokens: Int) {
    self.rule = rule
    x = randomMatrix(tokens, rule.columns, seed: 0)
    (g, beta) = (
      randomMatrix(tokens, rule.valueHeads, seed: 1), randomMatrix(tokens, rule.valueHeads, seed: 2)
    )
    // The numbers lie within 1/32 of 0.
    for index in 0..<tokens * rule.valueHeads {
      g.base[index] = -32 * abs(g.base[index])
      beta.base[index] = 0.5 + 16 * beta.base[index]
    }
    o = Matrix(uninitialized: tokens, rule.valueColumns)
    dO = randomMatrix(tokens, rule.valueColumns, seed: 3)
    states = rule.forward(x, g: g, beta: beta, state: rule.emptyState, into: o)
  }

  func forward() { _ = rule.forward(x, g: g, beta: beta, state: rule.emptyState, into: o) }
  func backward() { _ = rule.backward(dO, x, g: g, beta: beta, states: states, dState: rule.emptyState) }
}
