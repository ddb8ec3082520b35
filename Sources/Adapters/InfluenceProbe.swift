// Influence of every KV head from one backward pass over the frozen base: both estimators watch the same gradient.
import HuggingFace
import QwenVL
import RandomNumbers
import Tensors

/// Watches dv at visual tokens. With G = dv: gate gradient `sum_j <G[j, h], v[j, h]>`, rank-1 gradient
/// `sum_j (x[j] A_l) G[j, h]`; nothing is added in forward, so the base stays the base.
package final class InfluenceProbe<Element: Scalar>: ProjectionAdapter {
  package let layers, kvHeads, headDimension: Int
  /// The lowest layer with KV heads.
  package let lowestLayer: Int?
  /// The rank-1 probe's `A_l`, `[L][H]`.
  private let projections: [Matrix<Element>]
  /// d(loss)/d(gate), `[L, Hkv]`, of all backward passes since `reset`.
  package let gateGradient: Matrix<Element>
  /// d(loss)/d(B), `[L, Hkv D]`.
  package let rank1Gradient: Matrix<Element>

  /// - Parameter projections: `[L][H]`; see `seededProjections`.
  package init(text: TextConfiguration, projections: [[Element]]) {
    precondition(projections.count == text.layers && projections.allSatisfy { $0.count == text.hiddenSize })
    layers = text.layers
    kvHeads = text.kvHeads
    headDimension = text.headDimension
    lowestLayer = text.attentionLayers.first
    self.projections = projections.map { Matrix($0, rows: $0.count, columns: 1) }
    gateGradient = Matrix(zeros: layers, kvHeads)
    rank1Gradient = Matrix(zeros: layers, kvHeads * headDimension)
  }

  /// `A_l ~ N(0, 1)`, each layer from a stream of its own.
  package static func seededProjections(text: TextConfiguration, seed: UInt64) -> [[Element]] {
    (0..<text.layers).map { layer in
      var source = NormalSource(seed: seed, stream: UInt64(layer))
      return (0..<text.hiddenSize).map { _ in Element(source.nextGaussian()) }
    }
  }

  package func reset() {
    gateGradient.base.update(repeating: 0, count: layers * kvHeads)
    rank1Gradient.base.update(repeating: 0, count: layers * kvHeads * headDimension)
  }

  package var tokens: AdaptedTokens { .visual }
  package func adaptsAtLowestLayer(_ projection: Projection) -> Bool { projection == .value }

  package func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, spans: [Range<Int>]
  ) {}

  package func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?,
    dOutput dValues: Matrix<Element>, spans: [Range<Int>], dInput: Matrix<Element>?
  ) {
    guard let values else { return }
    for rows in spans {
      let u = Matrix<Element>(uninitialized: rows.count, 1)
      multiply(input.rows(rows), .asIs, projections[layer], .asIs, into: u)
      multiply(u, .transposed, dValues.rows(rows), .asIs, into: rank1Gradient.rows(layer..<layer + 1), beta: 1)
      for row in rows {
        for head in 0..<kvHeads {
          let start = head * headDimension
          gateGradient.row(layer)[head] += Element.dot(
            headDimension, dValues.row(row) + start, values.row(row) + start)
        }
      }
    }
  }
}
