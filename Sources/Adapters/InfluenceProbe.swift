// Influence of every head from one backward pass over the frozen base: all estimators watch the same gradient.
import HuggingFace
import QwenVL
import RandomNumbers
import Tensors

/// Watches dv at visual tokens. With G = dv: gate gradient `sum_j <G[j, h], v[j, h]>`, rank-1 gradient
/// `sum_j (x[j] A_l) G[j, h]`, and the squared norm of `sum_j x[j]^T G[j, h]`, which is the mean of that of the rank-1
/// gradient over all `A_l ~ N(0, 1)`; nothing is added in forward, so the base stays the base.
package final class InfluenceProbe<Element: Scalar>: ProjectionAdapter {
  /// Heads of each layer, and how many numbers a value has there.
  package let capacity, dimensions: [Int]
  /// The layers whose heads are watched begin here.
  private let fromLayer: Int
  /// The lowest layer with watched heads.
  package let lowestLayer: Int?
  /// The rank-1 probe's `A_l`, `[L][H]`.
  private let projections: [Matrix<Element>]
  /// d(loss)/d(gate), `[L, heads]`: a place for each head of the layer that has the most.
  package let gateGradient: Matrix<Element>
  /// d(loss)/d(B), `[L, heads D]`, likewise.
  package let rank1Gradient: Matrix<Element>
  /// `|| d(loss)/d(W) ||^2` of each head's rows W of the value projection, over visual tokens, flat `[L, heads]`.
  package private(set) var weightGradientNorm2: [Double]

  /// - Parameters:
  ///   - projections: `[L][H]`; see `seededProjections`.
  ///   - fromLayer: the lowest layer that is watched; backward ends there, and nothing of those below is measured.
  package init(
    text: TextConfiguration, projections: [[Element]], heads: ValueHeads = .attention, fromLayer: Int = 0
  ) {
    precondition(projections.count == text.layers && projections.allSatisfy { $0.count == text.hiddenSize })
    let capacity = heads.capacity(text)
    self.capacity = capacity
    dimensions = (0..<text.layers).map { text.valueHeads(of: $0).dimension }
    self.fromLayer = fromLayer
    lowestLayer = capacity.indices.first { $0 >= fromLayer && capacity[$0] > 0 }
    self.projections = projections.map { Matrix($0, rows: $0.count, columns: 1) }
    gateGradient = Matrix(zeros: text.layers, capacity.max() ?? 0)
    rank1Gradient = Matrix(zeros: text.layers, zip(capacity, dimensions).map(*).max() ?? 0)
    weightGradientNorm2 = Array(repeating: 0, count: text.layers * (capacity.max() ?? 0))
  }

  private init(like other: InfluenceProbe) {
    (capacity, dimensions) = (other.capacity, other.dimensions)
    (fromLayer, lowestLayer) = (other.fromLayer, other.lowestLayer)
    projections = other.projections
    gateGradient = Matrix(zeros: other.gateGradient.rows, other.gateGradient.columns)
    rank1Gradient = Matrix(zeros: other.rank1Gradient.rows, other.rank1Gradient.columns)
    weightGradientNorm2 = Array(repeating: 0, count: other.weightGradientNorm2.count)
  }

  /// A probe of the same heads with the same projections that has seen no gradient.
  package var fresh: InfluenceProbe { InfluenceProbe(like: self) }

  /// `|| dL / dB_l,h ||^2`, flat `[L, heads]`, of a gradient `[L, heads D]`.
  package func rank1Norm2(_ gradient: [Element]) -> [Double] {
    zip(capacity, dimensions).enumerated().flatMap { layer, shape -> [Double] in
      let start = layer * rank1Gradient.columns
      let norms = (0..<shape.0).map { head in
        gradient[start + head * shape.1..<start + (head + 1) * shape.1].reduce(0) { $0 + Double($1) * Double($1) }
      }
      return norms + [Double](repeating: 0, count: gateGradient.columns - norms.count)
    }
  }

  /// `A_l ~ N(0, 1)`, each layer from a stream of its own.
  package static func seededProjections(text: TextConfiguration, seed: UInt64) -> [[Element]] {
    (0..<text.layers).map { layer in
      var source = NormalSource(seed: seed, stream: UInt64(layer))
      return (0..<text.hiddenSize).map { _ in Element(source.nextGaussian()) }
    }
  }

  package var tokens: AdaptedTokens { .visual }
  package func adapts(_ layer: Int, _ projection: Projection) -> Bool {
    projection == .value && layer >= fromLayer && capacity[layer] > 0
  }

  package func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, rows: AdaptedRows
  ) {}

  package func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?,
    dOutput dValues: Matrix<Element>, rows adapted: AdaptedRows, dInput: Matrix<Element>?
  ) {
    guard let values, adapts(layer, projection) else { return }
    let D = dimensions[layer]
    let weightGradient = Matrix<Element>(zeros: input.columns, capacity[layer] * D)
    defer { add(normsOf: weightGradient, layer: layer) }
    for rows in adapted.spans {
      multiply(
        input.rows(rows), .transposed, dValues.rows(rows).columns(0..<weightGradient.columns), .asIs,
        into: weightGradient, beta: 1)
      let u = Matrix<Element>(uninitialized: rows.count, 1)
      multiply(input.rows(rows), .asIs, projections[layer], .asIs, into: u)
      multiply(
        u, .transposed, dValues.rows(rows), .asIs,
        into: rank1Gradient.rows(layer..<layer + 1).columns(0..<capacity[layer] * D),
        beta: 1)
      for row in rows {
        for head in 0..<capacity[layer] {
          let start = head * D
          gateGradient.row(layer)[head] += Element.dot(D, dValues.row(row) + start, values.row(row) + start)
        }
      }
    }
  }

  /// Norms are of the whole gradient, so a probe sees one backward pass.
  private func add(normsOf gradient: Matrix<Element>, layer: Int) {
    let (D, start) = (dimensions[layer], layer * gateGradient.columns)
    precondition(weightGradientNorm2[start] == 0, "a second backward pass of a layer")
    for row in 0..<gradient.rows {
      for head in 0..<capacity[layer] {
        let part = gradient.row(row) + head * D
        weightGradientNorm2[start + head] += Double(Element.dot(D, part, part))
      }
    }
  }
}
