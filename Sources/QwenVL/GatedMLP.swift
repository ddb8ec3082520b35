// The gated MLP of decoder layers and of blocks of the vision tower, with what an adapter adds.
import Layers
import Tensors

/// A projection of a gated MLP.
enum GatedMLPProjection {
  case gate, up, down
}

/// What acts on the projections of one gated MLP.
protocol GatedMLPAdapter<Element> {
  associatedtype Element: Scalar

  func adapts(_ projection: GatedMLPProjection) -> Bool

  /// Adds to a projection's output.   input [R, in], output [R, out]
  func forward(_ projection: GatedMLPProjection, input: Matrix<Element>, output: Matrix<Element>)

  /// Takes the gradient of a projection's output, and adds its part to `dInput` where that is needed.
  func backward(
    _ projection: GatedMLPProjection, input: Matrix<Element>, dOutput: Matrix<Element>,
    addingTo dInput: Matrix<Element>?)
}

/// How wide a part of a gated MLP is computed at a time.
package enum GatedMLPSpans {
  /// Most numbers of a token in a span: so wide, GEMMs are as fast as of all of them.
  package static let numbers = 768
}

/// down(silu(gate x) up x), frozen (transformers `Qwen2MLP`, `Qwen3VLTextMLP`, `Qwen2_5_VLMLP`).
///
/// Its I numbers a token are computed in spans, so that only what backward needs of them is ever in memory as a whole.
/// An adapter of the MLP acts on all numbers at once.
struct GatedMLP<Element: Scalar>: Sendable {
  let gate, up, down: Linear<Element>

  /// What backward needs of forward.
  struct Activations: Sendable {
    /// Pre-activations of some of the I numbers, adapted, `[R, numbers]` each.
    struct Span: Sendable {
      let numbers: Range<Int>
      let gate, up: KeptMatrix<Element>
    }

    let spans: [Span]

    var byteCount: Int { spans.reduce(0) { $0 + $1.gate.byteCount + $1.up.byteCount } }

    /// Those of some rows, in their order.
    func gathering(_ rows: [Int]) -> Activations {
      Activations(
        spans: spans.map {
          Span(numbers: $0.numbers, gate: $0.gate.gathering(rows), up: $0.up.gathering(rows))
        })
    }
  }

  private var precision: Precision { down.weight.precision }

  /// y = (silu(x G^T) x U^T) W^T + b.   x [R, H] -> y [R, H]
  /// - Parameter isKept: whether backward follows; the activations have nothing otherwise.
  func forward(
    _ x: Matrix<Element>, _ adapter: (any GatedMLPAdapter<Element>)?, keeping isKept: Bool = true
  ) -> (y: Matrix<Element>, activations: Activations) {
    let factor = gate.factor(x)
    let y = Matrix<Element>(uninitialized: x.rows, down.weight.rows)
    let spans = spans(adapter).compactMap { numbers -> Activations.Span? in
      let (g, u) = (gate.outputs(numbers).forward(factor), up.outputs(numbers).forward(factor))
      adapter?.forward(.gate, input: x, output: g)
      adapter?.forward(.up, input: x, output: u)
      let (product, kept) = SwiGLU.forward(gate: g, up: u, precision, keeping: isKept)
      down.weight.columns(numbers).timesTransposed(product, into: y, accumulate: numbers.lowerBound > 0)
      if let adapter, adapter.adapts(.down) {
        adapter.forward(.down, input: SwiGLU.forward(gate: g, up: u), output: y)
      }
      return kept.map { Activations.Span(numbers: numbers, gate: $0.gate, up: $0.up) }
    }
    if let bias = down.bias { y.add(toEveryRow: bias) }
    return (y, Activations(spans: spans))
  }

  /// dx = dgate G + dup U, (dgate, dup) = swiglu'(dy W), and the adapter's part of each.
  /// - Parameters:
  ///   - dy: `[R, H]`.
  ///   - input: makes x `[R, H]`, where the adapter needs it.
  ///   - rows: those of the activations that `dy` has.
  /// - Returns: dx `[R, H]`, nil unless `isInputNeeded`.
  func backward(
    _ dy: Matrix<Element>, input: () -> Matrix<Element>, _ activations: Activations, rows: Range<Int>,
    _ adapter: any GatedMLPAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    let isBelowAdapted = adapter.adapts(.gate) || adapter.adapts(.up)
    let factor = isInputNeeded || isBelowAdapted ? down.factor(dy) : nil
    let dx = isInputNeeded ? Matrix<Element>(uninitialized: dy.rows, gate.weight.columns) : nil
    for span in activations.spans {
      let dProduct = factor.map { down.inputs(span.numbers).backward($0) }
      func kept() -> (gate: Matrix<Element>, up: Matrix<Element>) { (span.gate.rows(rows), span.up.rows(rows)) }
      if adapter.adapts(.down) {
        let (g, u) = kept()
        adapter.backward(.down, input: SwiGLU.forward(gate: g, up: u), dOutput: dy, addingTo: dProduct)
      }
      guard let dProduct else { return nil }
      func addInputGradient(_ dgate: GEMMFactor<Element>, _ dup: GEMMFactor<Element>) {
        guard let dx else { return }
        gate.weight.rows(span.numbers).times(dgate, into: dx, accumulate: span.numbers.lowerBound > 0)
        up.weight.rows(span.numbers).times(dup, into: dx, accumulate: true)
      }
      if isBelowAdapted {
        let (g, u) = kept()
        let (dgate, dup) = SwiGLU.backward(dProduct, gate: g, up: u)
        addInputGradient(gate.factor(dgate), up.factor(dup))
        let x = input()
        adapter.backward(.gate, input: x, dOutput: dgate, addingTo: dx)
        adapter.backward(.up, input: x, dOutput: dup, addingTo: dx)
      } else {
        let (dgate, dup) = SwiGLU.backward(dProduct, gate: span.gate, up: span.up, rows: rows, precision)
        addInputGradient(dgate, dup)
      }
    }
    return dx
  }

  private func spans(_ adapter: (any GatedMLPAdapter<Element>)?) -> [Range<Int>] {
    let all = gate.weight.rows
    let isAdapted = adapter.map { $0.adapts(.gate) || $0.adapts(.up) || $0.adapts(.down) } ?? false
    // Whole cache lines.
    return Tensors.spans(all, atMost: isAdapted ? all : GatedMLPSpans.numbers, multipleOf: 32)
  }
}
