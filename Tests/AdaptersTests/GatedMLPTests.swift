// A gated MLP in spans of its inner numbers.
import GradientCheck
import Layers
import Testing

@testable import QwenVL
@testable import Tensors

/// Acts on one projection, and adds nothing: the MLP is then computed as a whole.
private struct Watching<Element: Scalar>: GatedMLPAdapter {
  let projection: GatedMLPProjection?

  func adapts(_ projection: GatedMLPProjection) -> Bool { projection == self.projection }
  func forward(_ projection: GatedMLPProjection, input: Matrix<Element>, output: Matrix<Element>) {}
  func backward(
    _ projection: GatedMLPProjection, input: Matrix<Element>, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?
  ) {}
}

private func largestDifference<A: BinaryFloatingPoint>(_ a: [A], _ b: [Double]) -> Double {
  a.count == b.count ? zip(a, b).map { abs(Double($0) - $1) }.max() ?? 0 : .infinity
}

@Suite("A gated MLP in spans of its inner numbers")
struct GatedMLPTests {
  /// Two spans and a shorter one, with biases as in the vision tower.
  private static let inner = 2 * GatedMLPSpans.numbers + 40

  private func mlp<Element: Scalar>(_ precision: Precision) -> GatedMLP<Element> {
    var numbers = TestNumbers(seed: 5)
    func linear(_ out: Int, _ columns: Int) -> Linear<Element> {
      Linear(
        weight: StoredMatrix(numbers.tensor([out, columns], scale: 0.3), precision: precision),
        bias: numbers.tensor([out]))
    }
    return GatedMLP(gate: linear(Self.inner, 6), up: linear(Self.inner, 6), down: linear(5, Self.inner))
  }

  /// Backward agrees with finite differences of forward, and an adapter that makes the MLP a whole changes nothing.
  @Test(arguments: [nil, .gate, .up, .down] as [GatedMLPProjection?]) func gradient(adapted: GatedMLPProjection?) {
    let mlp: GatedMLP<Double> = mlp(.float32)
    var numbers = TestNumbers(seed: 6)
    let (x, w) = (numbers.matrix(4, 6), numbers.matrix(4, 5))
    let adapter = Watching<Double>(projection: adapted)
    let (y, activations) = mlp.forward(x, adapter)
    #expect(activations.spans.count == (adapted == nil ? 3 : 1))
    #expect(activations.spans.flatMap(\.numbers) == Array(0..<Self.inner))
    let whole = mlp.gate.forward(x)
    #expect(
      largestDifference(y.values, mlp.down.forward(SwiGLU.forward(gate: whole, up: mlp.up.forward(x))).values) <= 1e-12)
    let dx = mlp.backward(w, input: { x }, activations, rows: 0..<4, adapter, isInputNeeded: true)
    guard let dx else {
      Issue.record("the input has a gradient")
      return
    }
    #expect(gradientError(of: x, gradient: dx) { weighted(mlp.forward(x, adapter).y, w) } < 1e-7)
    let rows = mlp.backward(w.rows(1..<3), input: { x }, activations, rows: 1..<3, adapter, isInputNeeded: true)
    #expect(rows.map { largestDifference($0.values, dx.rows(1..<3).values) <= 1e-12 } ?? false)
    #expect(mlp.backward(w, input: { x }, activations, rows: 0..<4, adapter, isInputNeeded: false) == nil)
  }

  /// In bf16 as in Double, but for rounding.
  @Test func bfloat16() {
    let (exact, rounded): (GatedMLP<Double>, GatedMLP<Float>) = (mlp(.float32), mlp(.bfloat16))
    var numbers = TestNumbers(seed: 7)
    let (x, w) = (numbers.matrix(4, 6), numbers.matrix(4, 5))
    func single(_ x: Matrix<Double>) -> Matrix<Float> {
      Matrix(x.values.map { Float($0) }, rows: x.rows, columns: x.columns)
    }
    let (y, activations) = exact.forward(x, Watching(projection: nil))
    let (y32, activations32) = rounded.forward(single(x), Watching(projection: nil))
    #expect(activations32.spans.count == 3 && 2 * activations32.byteCount == 4 * 2 * 4 * Self.inner)
    let dx = exact.backward(
      w, input: { x }, activations, rows: 0..<4, Watching(projection: nil), isInputNeeded: true)
    let dx32 = rounded.backward(
      single(w), input: { single(x) }, activations32, rows: 0..<4, Watching(projection: nil), isInputNeeded: true)
    for (found, expected) in [(y32, y), (dx32 ?? y32, dx ?? y)] {
      let scale = expected.values.map(abs).max() ?? 0
      #expect(largestDifference(found.values, expected.values) <= 0.02 * scale)
    }
  }
}
