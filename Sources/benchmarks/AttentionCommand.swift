// benchmarks attention: causal sequences of growing length, and the vision tower's windows and frames.
import ArgumentParser
import Formatting
import Layers
import Tensors

struct AttentionCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention",
    abstract: "Time attention, forward and backward: causal sequences, windows and frames of images.",
    discussion: """
      For each visible pair of query and key, the FLOPs are those of two GEMMs in forward and of four in backward; \
      scores that backward recomputes are not counted. Growth is the time over that of the line above, with the ratio \
      of the FLOPs in brackets.

      Example: benchmarks attention --tokens 300 1200 --shapes 0.5b --repeats 3
      """)

  @OptionGroup var common: CommonOptions
  @Option(parsing: .upToNextOption, help: "Lengths of causal sequences.") var tokens = [300, 1200, 4800]
  @Option(parsing: .upToNextOption, help: "Patches of images; 1024 are 448 x 448 pixels.") var patches = [1024, 4096]
  @Option(parsing: .upToNextOption, help: "Models whose shapes are used.") var shapes = ModelShape.allCases

  @Option(help: "Compute precision.") var precision = Precision.float32

  func validate() throws {
    try requireInstructions(precision)
    guard (tokens + patches).allSatisfy({ (1...65_536).contains($0) }) else {
      throw ValidationError("--tokens, --patches: give 1 to 65536")
    }
  }

  func run() throws {
    begin(common)
    let reference = ReferenceGEMM(side: common.side, precision: precision)
    var table = Table([
      "attention", "tokens", "forward", "growth", "GFLOP/s", "utilization", "backward", "growth", "GFLOP/s",
      "utilization",
    ])
    for shape in shapes {
      add(
        "\(shape.rawValue) causal", tokens, shape.decoderAttention(precision), backward: true, reference, to: &table,
        pattern: { .causal([(shared: [], own: 0..<$0, queries: $0)]) })
      add(
        "\(shape.rawValue) windows", patches, shape.visionAttention(precision), backward: false, reference, to: &table,
        pattern: { count in .blocks(stride(from: 0, to: count, by: 64).map { $0..<min($0 + 64, count) }) })
      add(
        "\(shape.rawValue) frame", patches, shape.visionAttention(precision), backward: false, reference, to: &table,
        pattern: { .blocks([0..<$0]) })
    }
    say(reference.line)
    say()
    table.show()
  }

  /// Adds a line for each length.
  private func add(
    _ name: String, _ lengths: [Int], _ attention: Attention<Float>, backward: Bool, _ reference: ReferenceGEMM,
    to table: inout Table, pattern: (Int) -> AttentionPattern
  ) {
    var before: (forward: Double, backward: Double, pairs: Double)?
    for length in lengths {
      let pattern = pattern(length)
      let pairs = pattern.pairs
      // FLOPs of one GEMM over all heads.
      let flops = 2 * pairs * Double(attention.heads * attention.headDimension)
      let input = AttentionInput(attention, length, pattern)
      let found = (0..<common.repeats).map { _ in
        let rate = reference.measure()
        let there = secondsOfOne(input.forward)
        let back = backward ? secondsOfOne(input.backward) : 0
        return (there: there, back: back, rate: rate)
      }
      let (there, back) = (median(found.map(\.there)), median(found.map(\.back)))
      func growth(_ now: Double, _ then: Double?) -> String {
        guard let then, let before else { return "" }
        return "\(fixed(now / then, 1)) (\(fixed(pairs / before.pairs, 1)))"
      }
      let last =
        backward
        ? [
          time(back), growth(back, before?.backward), gflops(4 * flops / back),
          percent(median(found.map { 4 * flops / $0.back / $0.rate })),
        ] : ["", "", "", ""]
      table.add(
        [
          name, "\(length)", time(there), growth(there, before?.forward), gflops(2 * flops / there),
          percent(median(found.map { 2 * flops / $0.there / $0.rate })),
        ] + last)
      before = (there, back, pairs)
    }
  }
}

extension ModelShape {
  fileprivate func decoderAttention(_ precision: Precision) -> Attention<Float> {
    switch self {
    case .half: Attention(heads: 14, kvHeads: 2, headDimension: 64, precision: precision)
    case .three: Attention(heads: 16, kvHeads: 2, headDimension: 128, precision: precision)
    }
  }

  fileprivate func visionAttention(_ precision: Precision) -> Attention<Float> {
    switch self {
    case .half: Attention(heads: 12, kvHeads: 12, headDimension: 64, precision: precision)
    case .three: Attention(heads: 16, kvHeads: 16, headDimension: 80, precision: precision)
    }
  }
}

extension AttentionPattern {
  /// Number of pairs of a query and a visible key.
  fileprivate var pairs: Double {
    spans.reduce(0) { sum, span in
      let shared = span.sharedCount
      return span.queries.reduce(sum) { sum, query in
        let own = span.causal ? keyOfQuery[query] + 1 - span.own.lowerBound : span.own.count
        return sum + Double(shared + own)
      }
    }
  }
}

/// Random queries, keys and values.
private struct AttentionInput {
  private let attention: Attention<Float>
  private let pattern: AttentionPattern
  private let q, k, v, dOutput: Matrix<Float>
  private let inputs: Attention<Float>.Inputs
  private let result: Attention<Float>.Result

  init(_ attention: Attention<Float>, _ tokens: Int, _ pattern: AttentionPattern) {
    let (queries, keys) = (
      attention.heads * attention.headDimension, attention.kvHeads * attention.headDimension
    )
    self.attention = attention
    self.pattern = pattern
    q = randomMatrix(tokens, queries, seed: 0)
    k = randomMatrix(tokens, keys, seed: 1)
    v = randomMatrix(tokens, keys, seed: 2)
    dOutput = randomMatrix(tokens, queries, seed: 3)
    inputs = attention.inputs(q: q, k: k, v: v, pattern: pattern)
    result = attention.forward(inputs)
  }

  func forward() { _ = attention.forward(attention.inputs(q: q, k: k, v: v, pattern: pattern)) }

  func backward() {
    _ = attention.backward(
      dOutput, inputs, queries: 0..<q.rows, logSumExp: result.logSumExp, firstKey: 0, needed: .all)
  }
}
