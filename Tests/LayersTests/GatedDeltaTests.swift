// The parts of a Gated DeltaNet in double precision: against the recurrence token by token, and finite differences.
import GradientCheck
import Layers
import Tensors
import Testing

@Suite("Gated DeltaNet")
struct GatedDeltaTests {
  /// Two value heads a key head, dk = 4, dv = 3.
  private static func rule(chunk: Int) -> GatedDeltaRule<Double> {
    GatedDeltaRule(keyHeads: 2, valueHeads: 4, keyDimension: 4, valueDimension: 3, chunk: chunk)
  }

  /// A piece of 11 tokens behind some state; decays from almost none to e^-20.
  private struct Piece {
    let x, g, beta, state: Matrix<Double>

    init() {
      var numbers = TestNumbers(seed: 5)
      x = numbers.matrix(11, 28)
      g = numbers.matrix(11, 4)
      beta = numbers.matrix(11, 4)
      state = numbers.matrix(16, 3)
      for i in 0..<11 {
        for h in 0..<4 {
          g.row(i)[h] = -[0.001, 0.3, 2, 20][(i + h) % 4] * (1.1 + g.row(i)[h])
          beta.row(i)[h] = 0.5 + 0.45 * beta.row(i)[h]
        }
      }
    }

    func forward(_ rule: GatedDeltaRule<Double>) -> (o: Matrix<Double>, end: Matrix<Double>, states: [Matrix<Double>]) {
      let end = state.gathering(Array(0..<16))
      let o = Matrix<Double>(uninitialized: 11, 12)
      let states = rule.forward(x, g: g, beta: beta, state: end, into: o)
      return (o, end, states)
    }
  }

  @Test("chunks of any size give the recurrence's numbers", arguments: [1, 2, 4, 11, 64])
  func recurrence(chunk: Int) {
    let piece = Piece()
    let (o, end, _) = piece.forward(Self.rule(chunk: chunk))
    let (expected, expectedEnd) = Self.recurrence(piece.x, piece.g, piece.beta, piece.state)
    #expect(difference(o, expected) < 1e-13)
    #expect(difference(end, expectedEnd) < 1e-13)
  }

  @Test("gradients of input, gates and state agree with finite differences", arguments: [1, 3, 4, 64], [0, 5])
  func gradients(chunk: Int, first: Int) {
    let (piece, rule) = (Piece(), Self.rule(chunk: chunk))
    var numbers = TestNumbers(seed: 9)
    let (w, wEnd) = (numbers.matrix(11, 12), numbers.matrix(16, 3))
    func loss() -> Double {
      let (o, end, _) = piece.forward(rule)
      return weighted(o.rows(first..<11), w.rows(first..<11)) + weighted(end, wEnd)
    }
    let dState = wEnd.gathering(Array(0..<16))
    let gradients = rule.backward(
      w.rows(first..<11), piece.x, g: piece.g, beta: piece.beta, states: piece.forward(rule).states, from: first,
      dState: dState)
    let rows = first..<11
    #expect(gradientError(of: piece.x.rows(rows), gradient: gradients.x, loss: loss) < 1e-8)
    #expect(gradientError(of: piece.g.rows(rows), gradient: gradients.g, loss: loss) < 1e-8)
    #expect(gradientError(of: piece.beta.rows(rows), gradient: gradients.beta, loss: loss) < 1e-8)
    if first == 0 { #expect(gradientError(of: piece.state, gradient: dState, loss: loss) < 1e-8) }
  }

  @Test("a sequence in two pieces is the sequence in one", arguments: [0, 1, 2, 6])
  func pieces(cut: Int) {
    var numbers = TestNumbers(seed: 2)
    let convolution = CausalConvolution<Double>(weight: numbers.tensor([28, 1, 4]))
    let (before, m) = (numbers.matrix(3, 28), numbers.matrix(11, 28))
    let piece = Piece()
    let whole = convolution.forward(m, after: before)
    #expect(difference(convolution.forward(m.rows(0..<cut), after: before), whole.rows(0..<cut)) == 0)
    let context = convolution.context(behind: m.rows(0..<cut), after: before)
    #expect(difference(convolution.forward(m.rows(cut..<11), after: context), whole.rows(cut..<11)) == 0)
    let (rule, state) = (Self.rule(chunk: 4), piece.state.gathering(Array(0..<16)))
    let inParts = Matrix<Double>(uninitialized: 11, 12)
    for rows in [0..<cut, cut..<11] {
      _ = rule.forward(
        piece.x.rows(rows), g: piece.g.rows(rows), beta: piece.beta.rows(rows), state: state, into: inParts.rows(rows))
    }
    let (o, end, _) = piece.forward(rule)
    #expect(difference(inParts, o) < 1e-13)
    #expect(difference(state, end) < 1e-13)
  }

  /// Pieces longer and shorter than the context, gradients of all tokens and of the last, few taps and many; what
  /// continues the piece gives gradients too.
  @Test("convolution with its SiLU", arguments: [(8, 0), (8, 6), (2, 0)], [1, 3, 4, 6])
  func convolution(piece: (rows: Int, first: Int), taps: Int) {
    var numbers = TestNumbers(seed: 3)
    let convolution = CausalConvolution<Double>(weight: numbers.tensor([5, 1, taps]))
    let ((rows, first), context) = (piece, taps - 1)
    let (before, m) = (numbers.matrix(context, 5), numbers.matrix(rows, 5))
    let (w, wEnd) = (numbers.matrix(rows, 5), numbers.matrix(context, 5))
    func loss() -> Double {
      weighted(convolution.forward(m, after: before).rows(first..<rows), w.rows(first..<rows))
        + weighted(convolution.context(behind: m, after: before), wEnd)
    }
    let dm = Matrix<Double>(uninitialized: rows - first, 5)
    let dBefore = convolution.backward(
      w.gathering(Array(first..<rows)), input: m, after: before, from: first, dEnd: wEnd, into: dm)
    #expect(gradientError(of: m.rows(first..<rows), gradient: dm, loss: loss) < 1e-8)
    #expect(
      gradientError(of: first == 0 ? before : m.rows(first - context..<first), gradient: dBefore, loss: loss) < 1e-8)
  }

  @Test("gates")
  func gates() {
    var numbers = TestNumbers(seed: 4)
    let gates = DeltaGates<Double>(logRates: numbers.tensor([3], scale: 3), bias: numbers.tensor([3]))
    let (a, b, w, u) = (numbers.matrix(6, 3), numbers.matrix(6, 3), numbers.matrix(6, 3), numbers.matrix(6, 3))
    for i in 0..<6 { a.row(i)[0] *= 30 }
    let (da, db) = gates.backward(dg: w, dbeta: u, a: a, b: b)
    #expect(gradientError(of: a, gradient: da) { weighted(gates.forward(a: a, b: b).g, w) } < 1e-8)
    #expect(gradientError(of: b, gradient: db) { weighted(gates.forward(a: a, b: b).beta, u) } < 1e-8)
  }

  @Test("gated norm and output gate")
  func norms() {
    var numbers = TestNumbers(seed: 6)
    let norm = GatedNorm<Double>(weight: numbers.tensor([4]), epsilon: 1e-6)
    let (o, z, w) = (numbers.matrix(5, 8), numbers.matrix(5, 8), numbers.matrix(5, 8))
    let gradients = norm.backward(w, input: o, gate: z)
    #expect(gradientError(of: o, gradient: gradients.o) { weighted(norm.forward(o, gate: z), w) } < 1e-8)
    #expect(gradientError(of: z, gradient: gradients.gate) { weighted(norm.forward(o, gate: z), w) } < 1e-8)
    let projected = numbers.matrix(5, 16)
    func gated() -> Matrix<Double> {
      let (queries, gates) = OutputGate.split(projected, headDimension: 4)
      return OutputGate.forward(queries, gate: gates)
    }
    let (queries, gates) = OutputGate.split(projected, headDimension: 4)
    let parts = OutputGate.backward(w, input: queries, gate: gates)
    let joined = OutputGate.join(parts.input, parts.gate, headDimension: 4)
    #expect(gradientError(of: projected, gradient: joined) { weighted(gated(), w) } < 1e-8)
    #expect(difference(OutputGate.join(queries, gates, headDimension: 4), projected) == 0)
  }

  private func difference(_ a: Matrix<Double>, _ b: Matrix<Double>) -> Double {
    zip(a.values, b.values).reduce(0) { max($0, abs($1.0 - $1.1)) }
  }

  /// S' = e^g S; u = beta (v - S'^T k); S = S' + k u^T; o = S^T q.
  private static func recurrence(
    _ x: Matrix<Double>, _ g: Matrix<Double>, _ beta: Matrix<Double>, _ start: Matrix<Double>
  ) -> (o: Matrix<Double>, end: Matrix<Double>) {
    let (o, state) = (Matrix<Double>(zeros: x.rows, 12), start.gathering(Array(0..<16)))
    func unit(_ values: [Double]) -> [Double] {
      let scale = 1 / (values.reduce(0) { $0 + $1 * $1 } + 1e-6).squareRoot()
      return values.map { $0 * scale }
    }
    for t in 0..<x.rows {
      let row = x.rows(t..<t + 1).values
      for h in 0..<4 {
        let q = unit(Array(row[h / 2 * 4..<h / 2 * 4 + 4])).map { $0 / 2 }
        let k = unit(Array(row[8 + h / 2 * 4..<8 + h / 2 * 4 + 4]))
        for j in 0..<3 {
          var read = 0.0
          for i in 0..<4 {
            state.row(4 * h + i)[j] *= Double.exponential(g.row(t)[h])
            read += state.row(4 * h + i)[j] * k[i]
          }
          let u = beta.row(t)[h] * (row[16 + 3 * h + j] - read)
          for i in 0..<4 {
            state.row(4 * h + i)[j] += k[i] * u
            o.row(t)[3 * h + j] += state.row(4 * h + i)[j] * q[i]
          }
        }
      }
    }
    return (o, state)
  }
}
