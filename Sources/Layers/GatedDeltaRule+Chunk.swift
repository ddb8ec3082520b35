// One chunk of the gated delta rule: what its heads share, and one head's matrices.
//
// Row indices i, j are the chunk's c tokens; G is the sum of g from the chunk's start, D_ij = e^(G_i - G_j) for j <= i.
// D is never taken as a quotient of e^(G_i) and e^(G_j): G reaches -1000 in a chunk.
import Tensors

extension GatedDeltaRule {
  /// Normalised keys and queries of a key head in a chunk, and their products with the keys.
  struct KeyHead {
    let count: Int
    /// Keys, then queries: `[2 c, dk]`.
    let kq: Matrix<Element>
    /// What each row was multiplied by, `[2 c]`, without dk^-0.5.
    let scales: [Element]
    /// k k^T, then q k^T: `[2 c, c]`.
    let products: Matrix<Element>
    /// dk^-0.5
    let queryScale: Element

    var k: Matrix<Element> { kq.rows(0..<count) }
    var q: Matrix<Element> { kq.rows(count..<2 * count) }

    /// x [c, 2 K + V]
    init(_ rule: GatedDeltaRule, _ head: Int, _ x: Matrix<Element>) {
      let (c, dk) = (x.rows, rule.keyDimension)
      count = c
      queryScale = 1 / Element(dk).squareRoot()
      kq = Matrix(uninitialized: 2 * c, dk)
      let (k, q) = (rule.key(head, x), rule.query(head, x))
      scales = (0..<2 * c).map { [kq, queryScale] i in
        let (row, xi) = (kq.row(i), i < c ? k.row(i) : q.row(i - c))
        let scale = 1 / (Element.dot(dk, xi, xi) + 1e-6).squareRoot()
        let factor = i < c ? scale : scale * queryScale
        for j in 0..<dk { row[j] = xi[j] * factor }
        return scale
      }
      products = Matrix(uninitialized: 2 * c, c)
      multiply(kq, .asIs, kq.rows(0..<c), .transposed, into: products)
    }
  }

  /// One value head in a chunk.
  struct Chunk {
    let keys: KeyHead
    let v: Matrix<Element>
    let beta: [Element]
    /// e^G, e^(G_c - G), `[c]`, and e^(G_c).
    let decays, remains: [Element]
    let whole: Element
    /// D, zero above the diagonal; A - 1, strictly below it; P = (q k^T) D.   `[c, c]` each
    let d, a, p: Matrix<Element>
    /// The state at the chunk's start, `[dk, dv]`, and k S, then q S unless only gradients are wanted, `[2 c, dv]`.
    let state, read: Matrix<Element>
    /// A N = beta (v - e^G k S): what the tokens write.   `[c, dv]`
    let n: Matrix<Element>

    /// v [c, dv]; g, beta [c, heads]; state [dk, dv]
    /// - Parameter hasOutput: whether `output` will be asked for.
    init(
      _ keys: KeyHead, v: Matrix<Element>, g: Matrix<Element>, beta: Matrix<Element>, head: Int, state: Matrix<Element>,
      hasOutput: Bool
    ) {
      let c = keys.count
      self.keys = keys
      (self.v, self.state) = (v, state)
      self.beta = (0..<c).map { beta.row($0)[head] }
      var sum: Element = 0
      let sums = (0..<c).map { i in
        sum += g.row(i)[head]
        return sum
      }
      decays = sums.map(Element.exponential)
      remains = sums.map { [sum] in Element.exponential(sum - $0) }
      whole = Element.exponential(sum)
      (d, a, p) = Self.triangles(keys, sums: sums, beta: self.beta)
      read = Matrix(uninitialized: hasOutput ? 2 * c : c, v.columns)
      multiply(hasOutput ? keys.kq : keys.k, .asIs, state, .asIs, into: read)
      n = Matrix(uninitialized: c, v.columns)
      for i in 0..<c {
        let (ni, vi, ri, b, e) = (n.row(i), v.row(i), read.row(i), self.beta[i], decays[i])
        for j in 0..<v.columns { ni[j] = b * (vi[j] - e * ri[j]) }
      }
      solveUnitLower(a, .asIs, inPlace: n)
    }

    @specialized(where Element == Float)
    @specialized(where Element == Double)
    private static func triangles(
      _ keys: KeyHead, sums: [Element], beta: [Element]
    ) -> (d: Matrix<Element>, a: Matrix<Element>, p: Matrix<Element>) {
      let c = keys.count
      let (d, a) = (Matrix<Element>(zeros: c, c), Matrix<Element>(zeros: c, c))
      let p = Matrix<Element>(zeros: c, c)
      sums.withUnsafeBufferPointer { sums in
        for i in 0..<c {
          let (di, ai, pi, kk, qk) = (d.row(i), a.row(i), p.row(i), keys.products.row(i), keys.products.row(c + i))
          let (sum, b) = (sums[i], beta[i])
          for j in 0..<i + 1 { di[j] = Element.exponential(sum - sums[j]) }
          for j in 0..<i + 1 {
            ai[j] = b * kk[j] * di[j]
            pi[j] = qk[j] * di[j]
          }
          ai[i] = 0
        }
      }
      return (d, a, p)
    }

    /// o = e^G (q S) + P N.   o [c, dv]
    func output(into o: Matrix<Element>) {
      let c = keys.count
      for i in 0..<c {
        let (oi, ri, e) = (o.row(i), read.row(c + i), decays[i])
        for j in 0..<o.columns { oi[j] = e * ri[j] }
      }
      multiply(p, .asIs, n, .asIs, into: o, beta: 1)
    }

    /// S <- e^(G_c) S + (e^(G_c - G) k)^T N.   state [dk, dv]
    func advance(_ state: Matrix<Element>) {
      multiply(scaled(keys.k, by: remains), .transposed, n, .asIs, into: state, beta: whole)
    }

    /// Each row times its factor, in new memory.
    func scaled(_ x: Matrix<Element>, by factors: [Element]) -> Matrix<Element> {
      let y = Matrix<Element>(uninitialized: x.rows, x.columns)
      for i in 0..<x.rows {
        let (xi, yi, f) = (x.row(i), y.row(i), factors[i])
        for j in 0..<x.columns { yi[j] = f * xi[j] }
      }
      return y
    }
  }
}
