// Rotary positions: each pair (j, j + D/2) of a head turns by an angle of its row.
import Tensors

/// Cosines and sines of every row's angles, `[R, D/2]` each; the second half of a head repeats the first.
package struct Rotary<Element: Scalar>: Sendable {
  let cosine: Matrix<Element>
  let sine: Matrix<Element>

  /// Angle of pair j of a row = position `axes[j]` of the row times `frequencies[j]`, in Element's precision as
  /// transformers computes it.
  /// - Parameters:
  ///   - positions: one array of `R` positions an axis.
  ///   - axes: which axis pair j follows, `[D/2]`.
  ///   - frequencies: `[D/2]`.
  package init(positions: [[Int32]], axes: [Int], frequencies: [Element]) {
    let (R, half) = (positions[0].count, axes.count)
    precondition(frequencies.count == half && positions.allSatisfy { $0.count == R })
    cosine = Matrix(uninitialized: R, half)
    sine = Matrix(uninitialized: R, half)
    for i in 0..<R {
      for j in 0..<half {
        let angle = Element(positions[axes[j]][i]) * frequencies[j]
        cosine.row(i)[j] = Element.cosine(angle)
        sine.row(i)[j] = Element.sine(angle)
      }
    }
  }

  /// `1 / theta^(2j / dimension)` for j < dimension / 2, rounded to `type`: float32 but where a reference is followed
  /// that cast its whole module, rotary buffers too, to the type of its weights.
  package static func inverseFrequencies(
    theta: Double, dimension: Int, roundedTo type: ElementType = .float32
  ) -> [Element] {
    (0..<dimension / 2).map {
      let exact = 1 / Element.power(Element(theta), Element(2 * $0) / Element(dimension))
      return type == .float32 ? exact : Element(type.rounding(Float(exact)))
    }
  }

  /// The tables of some of the rows.
  package func gathering(_ rows: [Int]) -> Rotary {
    Rotary(cosine: cosine.gathering(rows), sine: sine.gathering(rows))
  }

  /// The tables of consecutive rows, without a copy.
  package func rows(_ range: Range<Int>) -> Rotary { Rotary(cosine: cosine.rows(range), sine: sine.rows(range)) }

  private init(cosine: Matrix<Element>, sine: Matrix<Element>) {
    self.cosine = cosine
    self.sine = sine
  }

  /// Turns every head of x in place: (a, b) -> (a cos - b sin, b cos + a sin).   x [R, heads D]
  package func forward(inPlace x: Matrix<Element>) { turn(x, sign: 1) }

  /// The gradient turns back by the same angles.   dx [R, heads D]
  package func backward(inPlace dx: Matrix<Element>) { turn(dx, sign: -1) }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func turn(_ x: Matrix<Element>, sign: Element) {
    let half = cosine.columns
    precondition(x.rows == cosine.rows && x.columns % (2 * half) == 0)
    for i in 0..<x.rows {
      let (c, s) = (cosine.row(i), sine.row(i))
      for head in stride(from: 0, to: x.columns, by: 2 * half) {
        let a = x.row(i) + head
        let b = a + half
        for j in 0..<half {
          let (aj, bj) = (a[j], b[j])
          a[j] = aj * c[j] - bj * (sign * s[j])
          b[j] = bj * c[j] + aj * (sign * s[j])
        }
      }
    }
  }
}
