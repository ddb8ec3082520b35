// Gradients of the gated delta rule, chunks from last to first. Formulas: README.md.
import Tensors

extension GatedDeltaRule {
  /// Gradients of a piece of a sequence.
  package struct Gradients: Sendable {
    /// `[R - first, 2 K + V]`
    package let x: Matrix<Element>
    /// `[R - first, valueHeads]` each
    package let g, beta: Matrix<Element>

    fileprivate func rows(_ range: Range<Int>) -> Gradients {
      Gradients(x: x.rows(range), g: g.rows(range), beta: beta.rows(range))
    }
  }

  /// - Parameters:
  ///   - dO: the gradient of o from row `first` on, `[R - first, V]`.
  ///   - x, g, beta: forward's input.
  ///   - states: those that forward returned.
  ///   - first: the first row whose gradients are wanted.
  ///   - dState: the gradient of the state behind the piece, changed in place to that of the state before it; where
  ///     `first` is not 0, it is of no use afterwards.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(
    _ dO: Matrix<Element>, _ x: Matrix<Element>, g: Matrix<Element>, beta: Matrix<Element>, states: [Matrix<Element>],
    from first: Int = 0, dState: Matrix<Element>
  ) -> Gradients {
    precondition(dO.rows == x.rows - first && dO.columns == valueColumns)
    // Of whole chunks; what is not wanted is left out at the end.
    let start = chunks(x.rows).last { $0.lowerBound <= first }?.lowerBound ?? 0
    let covered = x.rows - start
    let result = Gradients(
      x: Matrix(uninitialized: covered, columns), g: Matrix(uninitialized: covered, valueHeads),
      beta: Matrix(uninitialized: covered, valueHeads))
    for (index, rows) in chunks(x.rows).enumerated().reversed() where rows.upperBound > first {
      backward(
        chunk: outputGradient(dO, of: rows, from: first), x.rows(rows), g: g.rows(rows), beta: beta.rows(rows),
        state: states[index], dState: dState,
        into: result.rows(rows.lowerBound - start..<rows.upperBound - start))
    }
    return result.rows(first - start..<covered)
  }

  /// dO of a chunk's rows; no output before `first` has a gradient that counts.
  private func outputGradient(_ dO: Matrix<Element>, of rows: Range<Int>, from first: Int) -> Matrix<Element> {
    if rows.lowerBound >= first { return dO.rows(rows.lowerBound - first..<rows.upperBound - first) }
    let dChunk = Matrix<Element>(zeros: rows.count, valueColumns)
    dChunk.rows(first - rows.lowerBound..<rows.count).assign(dO.rows(0..<rows.upperBound - first))
    return dChunk
  }

  private func backward(
    chunk dO: Matrix<Element>, _ x: Matrix<Element>, g: Matrix<Element>, beta: Matrix<Element>, state: Matrix<Element>,
    dState: Matrix<Element>, into result: Gradients
  ) {
    let c = x.rows
    for keyHead in 0..<keyHeads {
      let keys = KeyHead(self, keyHead, x)
      // Of normalised keys, then queries, summed over the value heads.
      let dkq = Matrix<Element>(zeros: 2 * c, keyDimension)
      for head in valueHeads(of: keyHead) {
        let chunk = Chunk(
          keys, v: value(head, x), g: g, beta: beta, head: head, state: ofHead(head, state), hasOutput: false)
        let (dg, dbeta) = chunk.backward(
          ofValueHead(head, dO), dState: ofHead(head, dState), dv: value(head, result.x), addingTo: dkq)
        for i in 0..<c { (result.g.row(i)[head], result.beta.row(i)[head]) = (dg[i], dbeta[i]) }
      }
      keys.normBackward(dkq, dk: key(keyHead, result.x), dq: query(keyHead, result.x))
    }
  }
}

extension GatedDeltaRule.KeyHead {
  /// dx = r (dy - y (y . dy)), y = x r; for a query dy and y without dk^-0.5.   dkq [2 c, dk] -> dk, dq [c, dk]
  func normBackward(_ dkq: Matrix<Element>, dk: Matrix<Element>, dq: Matrix<Element>) {
    let D = kq.columns
    for i in 0..<2 * count {
      let (target, dy, y) = (i < count ? dk.row(i) : dq.row(i - count), dkq.row(i), kq.row(i))
      // y of a query holds dk^-0.5 once, the product of both twice.
      let unit = i < count ? 1 : queryScale
      let along = Element.dot(D, y, dy) / unit
      for j in 0..<D { target[j] = scales[i] * (unit * dy[j] - y[j] * along) }
    }
  }
}

extension GatedDeltaRule.Chunk {
  /// - Parameters:
  ///   - dO: `[c, dv]`.
  ///   - dState: of the state behind the chunk, changed in place to that of the state before it, `[dk, dv]`.
  ///   - dv: takes the gradient of v, `[c, dv]`.
  ///   - dkq: what the gradients of keys, then queries, are added to, `[2 c, dk]`.
  /// - Returns: the gradients of g and beta, `[c]` each.
  func backward(
    _ dO: Matrix<Element>, dState: Matrix<Element>, dv: Matrix<Element>, addingTo dkq: Matrix<Element>
  ) -> (g: [Element], beta: [Element]) {
    let (c, V, K) = (keys.count, v.columns, keys.kq.columns)
    // X = N dS^T
    let x = Matrix<Element>(uninitialized: c, K)
    multiply(n, .asIs, dState, .transposed, into: x)
    // dN = P^T do + e^(G_c - G) (k dS); A^T dR = dN.   dR, then do
    let both = Matrix<Element>(uninitialized: 2 * c, V)
    let dR = both.rows(0..<c)
    both.rows(c..<2 * c).assign(dO)
    multiply(scaled(keys.k, by: remains), .asIs, dState, .asIs, into: dR)
    multiply(p, .transposed, dO, .asIs, into: dR, beta: 1)
    solveUnitLower(a, .transposed, inPlace: dR)
    // dR N^T, then do N^T; dR S^T, then do S^T
    let (withN, withS) = (Matrix<Element>(uninitialized: 2 * c, c), Matrix<Element>(uninitialized: 2 * c, K))
    multiply(both, .asIs, n, .transposed, into: withN)
    multiply(both, .asIs, state, .transposed, into: withS)
    var (dg, dbeta) = triangles(withN)
    // Here withN is M, then F; M k, then F k
    let withK = Matrix<Element>(uninitialized: 2 * c, K)
    multiply(withN, .asIs, keys.k, .asIs, into: withK)
    let scaledKeys = scaled(keys.kq, by: beta + [Element](repeating: 1, count: c))
    multiply(withN, .transposed, scaledKeys, .asIs, into: dkq.rows(0..<c), beta: 1)
    var ends: Element = Element.zero
    for i in 0..<c {
      let (b, e, rest) = (beta[i], decays[i], remains[i])
      let (k, q, xi) = (keys.k.row(i), keys.q.row(i), x.row(i))
      let (dk, dq, rS, oS, mk, fk) = (
        dkq.row(i), dkq.row(c + i), withS.row(i), withS.row(c + i), withK.row(i), withK.row(c + i)
      )
      for j in 0..<K {
        dk[j] += rest * xi[j] - b * e * rS[j] + b * mk[j]
        dq[j] += fk[j] + e * oS[j]
      }
      let (dRi, dvi, vi, kS) = (dR.row(i), dv.row(i), v.row(i), read.row(i))
      for j in 0..<V { dvi[j] = b * dRi[j] }
      let reads = Element.dot(V, dRi, kS)
      dbeta[i] += Element.dot(V, dRi, vi) - e * reads
      let end = rest * Element.dot(K, k, xi)
      dg[i] += e * Element.dot(K, q, oS) - b * e * reads - end
      ends += end
    }
    dg[c - 1] += ends
    for row in 0..<K { dg[c - 1] += whole * Element.dot(V, dState.row(row), state.row(row)) }
    for i in (0..<c - 1).reversed() { dg[i] += dg[i + 1] }
    // dS <- e^(G_c) dS + (e^G q)^T do - k^T (beta e^G dR)
    let factors = (0..<c).map { -beta[$0] * decays[$0] } + decays
    multiply(keys.kq, .transposed, scaled(both, by: factors), .asIs, into: dState, beta: whole)
    return (dg, dbeta)
  }

  /// Turns dR N^T and do N^T into M = dA D and F = dP D: dA = -(dR N^T) strictly below the diagonal, dP = do N^T there
  /// and on it.
  /// - Returns: what D and A give to the gradients of G and beta.   withN [2 c, c]
  private func triangles(_ withN: Matrix<Element>) -> (g: [Element], beta: [Element]) {
    let c = keys.count
    var dg = [Element](repeating: 0, count: c)
    var dbeta = [Element](repeating: 0, count: c)
    for i in 0..<c {
      let (m, f, di, ai, pi, kk) = (
        withN.row(i), withN.row(c + i), d.row(i), a.row(i), p.row(i), keys.products.row(i)
      )
      for j in 0..<i {
        let z = f[j] * pi[j] - m[j] * ai[j]
        dg[i] += z
        dg[j] -= z
        m[j] = -m[j] * di[j]
        f[j] *= di[j]
        dbeta[i] += m[j] * kk[j]
      }
      // On the diagonal D is 1 and Z cancels.
      m[i] = 0
      for j in i + 1..<c { (m[j], f[j]) = (0, 0) }
    }
    return (dg, dbeta)
  }
}
