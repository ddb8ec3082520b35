import Foundation
import GradientCheck
import Tensors
import Testing

@testable import Layers

/// Relative agreement that central differences of step 1e-5 reach in double precision.
private let tolerance = 1e-8

@Suite("Every layer's backward agrees with finite differences in double precision")
struct GradientTests {
  @Test func linear() {
    var numbers = TestNumbers()
    let layer = Linear<Double>(weight: StoredMatrix(numbers.tensor([5, 7])), bias: numbers.tensor([5]))
    let (x, w) = (numbers.matrix(4, 7), numbers.matrix(4, 5))
    #expect(gradientError(of: x, gradient: layer.backward(w)) { weighted(layer.forward(x), w) } < tolerance)
    let doubled = layer.backward(w)
    layer.backward(w, addingTo: doubled)
    #expect(gradientError(of: x, gradient: doubled) { 2 * weighted(layer.forward(x), w) } < tolerance)
  }

  @Test func rmsNorm() {
    var numbers = TestNumbers()
    let layer = RMSNorm<Double>(weight: numbers.tensor([9]), epsilon: 1e-6)
    let (x, w) = (numbers.matrix(3, 9), numbers.matrix(3, 9))
    #expect(
      gradientError(of: x, gradient: layer.backward(w, input: x)) { weighted(layer.forward(x), w) } < tolerance)
  }

  /// Two heads a token, each normalised separately.
  @Test func rmsNormOfHeads() {
    var numbers = TestNumbers()
    let layer = RMSNorm<Double>(weight: numbers.tensor([4]), epsilon: 1e-6)
    let (x, w) = (numbers.matrix(3, 8), numbers.matrix(3, 8))
    #expect(
      gradientError(of: x, gradient: layer.backward(w, input: x)) { weighted(layer.forward(x), w) } < tolerance)
    let heads = layer.forward(x.reshaped(rows: 6, columns: 4))
    #expect(layer.forward(x).values == heads.values)
  }

  @Test func swiGLU() {
    var numbers = TestNumbers()
    let (gate, up, w) = (numbers.matrix(3, 8), numbers.matrix(3, 8), numbers.matrix(3, 8))
    let d = SwiGLU.backward(w, gate: gate, up: up)
    func loss() -> Double { weighted(SwiGLU.forward(gate: gate, up: up), w) }
    #expect(gradientError(of: gate, gradient: d.gate, loss: loss) < tolerance)
    #expect(gradientError(of: up, gradient: d.up, loss: loss) < tolerance)
  }

  @Test func rotary() {
    var numbers = TestNumbers()
    let rotary = Rotary<Double>(
      positions: [[0, 1, 5], [0, 2, 9], [0, 3, 40]], axes: [0, 1, 1, 2],
      frequencies: Rotary.inverseFrequencies(theta: 1e4, dimension: 8))
    let (x, w) = (numbers.matrix(3, 16), numbers.matrix(3, 16))
    let dx = w.gathering([0, 1, 2])
    rotary.backward(inPlace: dx)
    let error = gradientError(of: x, gradient: dx) {
      let y = x.gathering([0, 1, 2])
      rotary.forward(inPlace: y)
      return weighted(y, w)
    }
    #expect(error < tolerance)
  }

  /// With an identity for weights the sums are the gradient of the logits themselves. Several parts of the vocabulary.
  @Test(arguments: [[11], [4, 4, 3], [1, 10]]) func crossEntropy(parts: [Int]) {
    var numbers = TestNumbers()
    let x = numbers.matrix(3, 11)
    let targets: [Int32] = [0, 10, 4]
    let sums = Matrix<Double>(zeros: 3, 11)
    func walk(scaling sums: Matrix<Double>?) -> CrossEntropy<Double> {
      var entropy = CrossEntropy<Double>(targets: targets)
      var first = 0
      for count in parts {
        let part = x.columns(first..<first + count).copy
        entropy.take(part, of: first..<first + count, scaling: sums)
        if let sums { sums.columns(first..<first + count).assign(part) }
        first += count
      }
      return entropy
    }
    let oneHot = Matrix<Double>(zeros: 3, 11)
    for (row, target) in targets.enumerated() { oneHot.row(row)[Int(target)] = 1 }
    walk(scaling: sums).gradient(inPlace: sums, targets: oneHot)
    let error = gradientError(of: x, gradient: sums) { walk(scaling: nil).losses.reduce(0) { $0 + $1.nll } }
    #expect(error < tolerance)
  }

  /// Against logsumexp written out, with logits far apart and equal ones; of equal logits the first is the top-1.
  @Test func crossEntropyOfFarAndEqualLogits() {
    let rows: [[Double]] = [[900, -900, 3, 900], [1, 5, 5, 2], [-1e4, -1e4, -1e4, -1e4], [0, 40, -40, 80]]
    let targets: [Int32] = [0, 2, 0, 3]
    var entropy = CrossEntropy<Double>(targets: targets)
    for part in [0..<1, 1..<2, 2..<4] {
      entropy.take(Matrix(rows.flatMap { $0[part] }, rows: 4, columns: part.count), of: part, scaling: nil)
    }
    for (row, (target, loss)) in zip(rows, zip(targets, entropy.losses)) {
      let largest = row.max() ?? 0
      let sum = row.reduce(0) { $0 + exp($1 - largest) }
      #expect(abs(loss.nll - (largest + log(sum) - row[Int(target)])) < 1e-12 * max(1, abs(loss.nll)))
    }
    #expect(entropy.losses.map(\.isTop1) == [true, false, true, true])
  }

  /// Patterns that training meets: a plain sequence longer than a block, a prefix with branches, the last layer's few
  /// queries, a prefix with branches that have branches, and both directions inside windows.
  @Test(arguments: [
    (70, AttentionPattern.causal([([], 0..<70, 70)])),
    (12, .causal([([], 0..<5, 5), ([0..<5], 5..<9, 4), ([0..<5], 9..<12, 3)])),
    (12, .causal([([], 0..<5, 5), ([0..<5], 5..<9, 4), ([0..<5], 9..<12, 3)]).selecting([4, 7, 8, 11])),
    (
      12,
      .causal([
        ([], 0..<3, 3), ([0..<3], 3..<5, 2), ([0..<3], 5..<8, 3), ([0..<3, 5..<8], 8..<10, 2),
        ([0..<3, 5..<8], 10..<12, 2),
      ])
    ),
    (9, .blocks([0..<4, 4..<9])),
  ])
  func attention(T: Int, pattern: AttentionPattern) {
    var numbers = TestNumbers()
    let layer = Attention<Double>(heads: 4, kvHeads: 2, headDimension: 3)
    let R = pattern.keyOfQuery.count
    let (q, k, v, w) = (numbers.matrix(R, 12), numbers.matrix(T, 6), numbers.matrix(T, 6), numbers.matrix(R, 12))
    func loss() -> Double { weighted(layer.forward(layer.inputs(q: q, k: k, v: v, pattern: pattern)).output, w) }
    func backward(_ firstKey: Int, _ needed: Attention<Double>.Needed) -> Attention<Double>.Gradients {
      let inputs = layer.inputs(q: q, k: k, v: v, pattern: pattern)
      return layer.backward(
        w, inputs, queries: 0..<R, logSumExp: layer.forward(inputs).logSumExp, firstKey: firstKey, needed: needed)
    }
    let d = backward(0, .all)
    #expect(gradientError(of: v, gradient: d.v, loss: loss) < tolerance)
    #expect(d.q.map { gradientError(of: q, gradient: $0, loss: loss) < tolerance } == true)
    #expect(d.k.map { gradientError(of: k, gradient: $0, loss: loss) < tolerance } == true)
    // Fewer gradients are the same gradients; with BLIS but for last bits, since it adds in another order where a GEMM
    // has fewer rows.
    let allowed = mathLibrary.hasPrefix("BLIS") ? 1e-14 : 0
    func areLast(_ fewer: Matrix<Double>?, of all: Matrix<Double>?) -> Bool {
      guard let fewer, let all else { return false }
      let last = all.rows(2..<T).values
      return fewer.values.count == last.count && zip(fewer.values, last).allSatisfy { abs($0 - $1) <= allowed }
    }
    let later = backward(2, .valuesOnly)
    #expect(areLast(later.v, of: d.v) && later.q == nil && later.k == nil)
    #expect(areLast(backward(2, .all).k, of: d.k))
  }
}

@Suite("Layers of the vision tower equal the plain formula, and their backward agrees with finite differences")
struct VisionLayerTests {
  @Test("LayerNorm, of one group and of two")
  func layerNormGradient() {
    var numbers = TestNumbers()
    let layer = LayerNorm<Double>(weight: numbers.tensor([5]), bias: numbers.tensor([5]), epsilon: 1e-6)
    for columns in [5, 10] {
      let (x, w) = (numbers.matrix(3, columns), numbers.matrix(3, columns))
      let dx = layer.backward(w, input: x)
      #expect(gradientError(of: x, gradient: dx) { weighted(layer.forward(x), w) } < 1e-8)
    }
  }

  @Test(arguments: [GELU.exact, .tanh, .quick]) func geluGradient(activation: GELU) {
    var numbers = TestNumbers()
    let (x, w) = (numbers.matrix(3, 7), numbers.matrix(3, 7))
    for i in 0..<3 { for j in 0..<7 { x.row(i)[j] *= 4 } }
    let dx = w.copy
    activation.backward(inPlace: dx, input: x)
    let error = gradientError(of: x, gradient: dx) {
      let y = x.copy
      activation.forward(inPlace: y)
      return weighted(y, w)
    }
    #expect(error < 1e-8)
  }

  @Test func layerNorm() {
    var numbers = TestNumbers()
    let (weight, bias) = (numbers.tensor([5]), numbers.tensor([5]))
    let layer = LayerNorm<Double>(weight: weight, bias: bias, epsilon: 1e-6)
    let x = numbers.matrix(3, 10)
    let y = layer.forward(x).values
    for group in 0..<6 {
      let values = Array(x.values[5 * group..<5 * group + 5])
      let mean = values.reduce(0, +) / 5
      let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 5
      for j in 0..<5 {
        let plain = (values[j] - mean) / (variance + 1e-6).squareRoot() * layer.weight[j] + layer.bias[j]
        #expect(abs(y[5 * group + j] - plain) < 1e-14)
      }
    }
  }

  @Test func gelu() {
    let values = (-60...60).map { Double($0) / 10 }
    let (exact, tanh) = (Matrix(values, rows: 11, columns: 11), Matrix(values, rows: 11, columns: 11))
    GELU.exact.forward(inPlace: exact)
    GELU.tanh.forward(inPlace: tanh)
    for (i, x) in values.enumerated() {
      let u = (2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)
      #expect(abs(exact.values[i] - x / 2 * (1 + Foundation.erf(x / 2.0.squareRoot()))) < 1e-14)
      #expect(abs(tanh.values[i] - x / 2 * (1 + Foundation.tanh(u))) < 1e-14)
    }
    let float = Matrix(values.map { Float($0) }, rows: 11, columns: 11)
    GELU.tanh.forward(inPlace: float)
    for (a, b) in zip(float.values, tanh.values) { #expect(abs(Double(a) - b) < 1e-6 * max(1, abs(b))) }
  }
}

@Suite("Attention in blocks equals the plain formula")
struct AttentionTests {
  @Test func plainTwin() {
    var numbers = TestNumbers()
    let (T, D) = (67, 4)
    let layer = Attention<Double>(heads: 2, kvHeads: 1, headDimension: D)
    let (q, k, v) = (numbers.matrix(T, 2 * D), numbers.matrix(T, D), numbers.matrix(T, D))
    let output = layer.forward(layer.inputs(q: q, k: k, v: v, pattern: .causal([([], 0..<T, T)]))).output
    for head in 0..<2 {
      for i in 0..<T {
        let scores = (0...i).map { Double.dot(D, q.row(i) + head * D, k.row($0)) / Double(D).squareRoot() }
        let weights = scores.map { Double.exponential($0) }
        let total = weights.reduce(0, +)
        for d in 0..<D {
          let plain = (0...i).reduce(0.0) { $0 + weights[$1] * v.row($1)[d] } / total
          #expect(abs(plain - output.row(i)[head * D + d]) < 1e-12)
        }
      }
    }
  }

  /// Branches see what they continue and themselves: the same numbers as separate sequences.
  @Test func branchesEqualSeparateSequences() {
    var numbers = TestNumbers()
    let layer = Attention<Double>(heads: 2, kvHeads: 2, headDimension: 3)
    let (q, k, v) = (numbers.matrix(15, 6), numbers.matrix(15, 6), numbers.matrix(15, 6))
    let pattern = AttentionPattern.causal([
      ([], 0..<5, 5), ([0..<5], 5..<8, 3), ([0..<5], 8..<11, 3), ([0..<5, 8..<11], 11..<13, 2),
      ([0..<5, 8..<11], 13..<15, 2),
    ])
    let packed = layer.forward(layer.inputs(q: q, k: k, v: v, pattern: pattern)).output
    for path in [[0..<8], [0..<5, 8..<13], [0..<5, 8..<11, 13..<15]] {
      let rows = path.flatMap(Array.init)
      let alone = layer.forward(
        layer.inputs(
          q: q.gathering(rows), k: k.gathering(rows), v: v.gathering(rows),
          pattern: .causal([([], 0..<rows.count, rows.count)]))
      ).output
      for (i, row) in rows.enumerated() {
        for j in 0..<6 { #expect(abs(alone.row(i)[j] - packed.row(row)[j]) < 1e-14) }
      }
    }
  }
}

@Suite("Float kernels are within rounding of Double ones")
struct FloatKernelTests {
  @Test func exponential() {
    for i in -8_700...8_800 {
      let x = Float(i) / 100
      let exact = Double.exponential(Double(x))
      #expect(abs(Double(Float.exponential(x)) - exact) <= exact * 2.4e-7)
    }
    #expect(Float.exponential(-1e30) < 1.3e-38)
    #expect(Float.exponential(0) == 1)
  }

  @Test func reductions() {
    let values = (0..<200).map { Float(($0 * 37) % 101) - 50 }
    for n in [0, 1, 15, 16, 17, 63, 64, 79, 80, 100, 128, 200] {
      // Whole numbers: exact in any order.
      #expect(Float.sum(n, values) == values.prefix(n).reduce(0, +))
      #expect(
        Float.dot(n, values, values.reversed())
          == zip(values, values.reversed()).prefix(n).reduce(0) { $0 + $1.0 * $1.1 })
      #expect(Float.maximum(n, values) == values.prefix(n).max() ?? -.infinity)
    }
  }
}
