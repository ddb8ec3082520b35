// A depthwise causal convolution with the SiLU behind it: each channel mixes a token with the few before it.
import Tensors

/// The frozen convolution of a Gated DeltaNet (transformers `Qwen3_5GatedDeltaNet.conv1d`), without bias.
///
/// The rows before a sequence's first token are zeros, or those that an earlier piece of the sequence left
/// (`context`). A piece with its context is one matrix here, the context first.
package struct CausalConvolution<Element: Scalar>: Sendable {
  /// `[taps][channels]`; the last tap is the token's own.
  private let taps: [[Element]]
  /// Rows of context that a token needs.
  package var context: Int { taps.count - 1 }
  package var channels: Int { taps[0].count }

  /// - Parameter weight: `[channels, 1, taps]`.
  package init(weight: StoredTensor) {
    let (values, channels, count): ([Element], Int, Int) = (weight.values(), weight.shape[0], weight.shape[2])
    taps = (0..<count).map { tap in (0..<channels).map { values[$0 * count + tap] } }
  }

  /// c_t = sum_j w_j m_{t - context + j}.   m [context + R, channels] -> c [R, channels]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(_ m: Matrix<Element>) -> Matrix<Element> {
    let C = channels
    precondition(m.columns == C && m.rows >= context)
    let c = Matrix<Element>(zeros: m.rows - context, C)
    for t in 0..<c.rows {
      let ct = c.row(t)
      for (j, tap) in taps.enumerated() {
        let mt = m.row(t + j)
        tap.withUnsafeBufferPointer { w in for i in 0..<C { ct[i] += w[i] * mt[i] } }
      }
    }
    return c
  }

  /// Adds the gradient to the rows that a token saw, the context's too: dm_{t - context + j} += w_j dc_t.
  /// dc [R, channels], dm [context + R, channels]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(_ dc: Matrix<Element>, addingTo dm: Matrix<Element>) {
    let C = channels
    precondition(dc.columns == C && dm.columns == C && dm.rows == dc.rows + context)
    for t in 0..<dc.rows {
      let dct = dc.row(t)
      for (j, tap) in taps.enumerated() {
        let dmt = dm.row(t + j)
        tap.withUnsafeBufferPointer { w in for i in 0..<C { dmt[i] += w[i] * dct[i] } }
      }
    }
  }
}

/// silu(c) = c sigmoid(c), alone.
package enum SiLU {
  /// c [R, C] -> [R, C]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func forward<Element: Scalar>(_ c: Matrix<Element>) -> Matrix<Element> {
    let y = Matrix<Element>(uninitialized: c.rows, c.columns)
    for t in 0..<c.rows {
      let (ct, yt) = (c.row(t), y.row(t))
      for i in 0..<c.columns { yt[i] = ct[i] / (1 + Element.exponential(-ct[i])) }
    }
    return y
  }

  /// dc = ds sig (1 + c (1 - sig)), in place of ds.   ds, c [R, C]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package static func backward<Element: Scalar>(inPlace ds: Matrix<Element>, input c: Matrix<Element>) {
    precondition(ds.rows == c.rows && ds.columns == c.columns)
    for t in 0..<c.rows {
      let (ct, dt) = (c.row(t), ds.row(t))
      for i in 0..<c.columns {
        let s = 1 / (1 + Element.exponential(-ct[i]))
        dt[i] *= s * (1 + ct[i] * (1 - s))
      }
    }
  }
}
