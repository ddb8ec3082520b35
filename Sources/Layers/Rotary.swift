// Rotary positions: each pair (j, j + R/2) of a head's first R numbers is rotated by an angle of its token.
import Tensors

/// Cosines and sines of every token's angles, `[N, R/2]` each; the second half of the R numbers repeats the first. What
/// a head has beyond them is not rotated.
package struct Rotary<Element: Scalar>: Sendable {
  let cosine: Matrix<Element>
  let sine: Matrix<Element>
  /// Numbers of a head.
  let headDimension: Int

  /// Angle of pair j of a token = its position on axis `axes[j]` times `frequencies[j]`, in Element's precision as in
  /// transformers.
  /// - Parameters:
  ///   - positions: `[axes][N]`.
  ///   - axes: the axis of each pair, `[R/2]`.
  ///   - frequencies: `[R/2]`.
  ///   - headDimension: nil: R, the whole head is rotated.
  package init(positions: [[Int32]], axes: [Int], frequencies: [Element], headDimension: Int? = nil) {
    let (R, half) = (positions[0].count, axes.count)
    self.headDimension = headDimension ?? 2 * half
    precondition(frequencies.count == half && positions.allSatisfy { $0.count == R } && 2 * half <= self.headDimension)
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

  /// `1 / theta^(2j / dimension)` for j < dimension / 2. As with transformers' `from_pretrained`, whatever the type of
  /// the weights is.
  package static func inverseFrequencies(theta: Double, dimension: Int) -> [Element] {
    (0..<dimension / 2).map { 1 / Element.power(Element(theta), Element(2 * $0) / Element(dimension)) }
  }

  /// The tables of some of the tokens.
  package func gathering(_ tokens: [Int]) -> Rotary {
    Rotary(cosine: cosine.gathering(tokens), sine: sine.gathering(tokens), headDimension: headDimension)
  }

  /// The tables of consecutive tokens, without a copy.
  package func tokens(_ range: Range<Int>) -> Rotary {
    Rotary(cosine: cosine.rows(range), sine: sine.rows(range), headDimension: headDimension)
  }

  private init(cosine: Matrix<Element>, sine: Matrix<Element>, headDimension: Int) {
    (self.cosine, self.sine, self.headDimension) = (cosine, sine, headDimension)
  }

  /// Rotates every head of x in place: (a, b) -> (a cos - b sin, b cos + a sin).   x [N, heads D]
  package func forward(inPlace x: Matrix<Element>) { rotate(x, sign: 1) }

  /// Rotates the gradient back by the same angles.   dx [N, heads D]
  package func backward(inPlace dx: Matrix<Element>) { rotate(dx, sign: -1) }

  @specialized(where Element == Float)
  @specialized(where Element == Double)
  private func rotate(_ x: Matrix<Element>, sign: Element) {
    let half = cosine.columns
    precondition(x.rows == cosine.rows && x.columns % headDimension == 0)
    for i in 0..<x.rows {
      let (c, s) = (cosine.row(i), sine.row(i))
      for head in stride(from: 0, to: x.columns, by: headDimension) {
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
