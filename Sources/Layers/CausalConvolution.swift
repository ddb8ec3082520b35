// A depthwise causal convolution with the SiLU behind it: each channel mixes a token with the few before it.
import Tensors

/// The frozen convolution of a Gated DeltaNet (transformers `Qwen3_5GatedDeltaNet.conv1d` and its activation), without
/// bias.
///
/// The rows before a sequence's first token are zeros, or those that an earlier piece of the sequence left: the context
/// of a piece.
package struct CausalConvolution<Element: Scalar>: Sendable {
  /// `[taps, channels]`, the last of them the token's own; then zeros up to a multiple of `group`.
  private let taps: Matrix<Element>
  /// Rows of context that a token needs: one less than it has taps.
  package let context: Int
  package var channels: Int { taps.columns }
  /// Taps that are taken in one walk over the channels.
  private static var group: Int { 4 }
  /// Channels that are computed together for all tokens: their taps and a token's rows stay in the nearest cache.
  private static var blockChannels: Int { 1024 }

  /// - Parameter weight: `[channels, 1, taps]`.
  package init(weight: StoredTensor) {
    let (values, channels, count): ([Element], Int, Int) = (weight.values(), weight.shape[0], weight.shape[2])
    context = count - 1
    taps = Matrix(zeros: (count + Self.group - 1) / Self.group * Self.group, channels)
    for tap in 0..<count {
      let row = taps.row(tap)
      for channel in 0..<channels { row[channel] = values[channel * count + tap] }
    }
  }

  /// y_t = silu(c_t), c_t = sum_j w_j m_{t - context + j}; rows before the first are the context's.
  /// m [R, channels], its context [context, channels] -> y [R, channels]
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func forward(_ m: Matrix<Element>, after before: Matrix<Element>) -> Matrix<Element> {
    precondition(m.columns == channels && before.columns == channels && before.rows == context)
    let y = Matrix<Element>(uninitialized: m.rows, channels)
    forEachBlock { block in
      for t in 0..<m.rows {
        let yt = y.row(t) + block.lowerBound
        mix(block, into: yt) { row(t + $0, m, before) }
        for i in 0..<block.count { yt[i] = SiLU.value(yt[i]) }
      }
    }
    return y
  }

  /// The gradient of the rows that the tokens from `first` on saw: dm_s = sum_j w_j dc_{s + context - j},
  /// dc_t = dy_t silu'(c_t); and what the rows give to what continues the piece.
  /// - Parameters:
  ///   - dy: `[R - first, channels]`; changed in place to dc.
  ///   - dEnd: the gradient of `context(behind:after:)`.
  ///   - dm: takes the gradient of m from row `first` on.
  /// - Returns: the gradient of the rows before those, `[context, channels]`: of the context where `first` is 0.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func backward(
    _ dy: Matrix<Element>, input m: Matrix<Element>, after before: Matrix<Element>, from first: Int,
    dEnd: Matrix<Element>, into dm: Matrix<Element>
  ) -> Matrix<Element> {
    precondition(m.columns == channels && before.columns == channels && before.rows == context)
    precondition(dy.columns == channels && dy.rows == m.rows - first && dm.columns == channels && dm.rows == dy.rows)
    precondition(dEnd.columns == channels && dEnd.rows == context)
    let dBefore = Matrix<Element>(uninitialized: context, channels)
    // Of the tokens that are not there.
    let none = Matrix<Element>(zeros: 1, channels)
    let scratch = Matrix<Element>(uninitialized: 1, Self.blockChannels)
    forEachBlock { block in
      let c = scratch.row(0)
      for t in 0..<dy.rows {
        mix(block, into: c) { row(first + t + $0, m, before) }
        let dc = dy.row(t) + block.lowerBound
        for i in 0..<block.count { dc[i] *= SiLU.slope(c[i]) }
      }
      for s in 0..<context + dy.rows {
        let dms = row(s, dm, dBefore) + block.lowerBound
        mix(block, into: dms) { dy.rows > s - $0 && s >= $0 ? dy.row(s - $0) : none.row(0) }
        if s >= dy.rows {
          let end = dEnd.row(s - dy.rows) + block.lowerBound
          for i in 0..<block.count { dms[i] += end[i] }
        }
      }
    }
    return dBefore
  }

  /// The context of what continues a piece: the last rows of its own context and the piece together, in new memory.
  package func context(behind m: Matrix<Element>, after before: Matrix<Element>) -> Matrix<Element> {
    let last = Matrix<Element>(uninitialized: context, channels)
    for i in 0..<context { last.row(i).update(from: row(m.rows + i, m, before), count: channels) }
    return last
  }

  /// Of the context's rows and then those of a piece.
  @inline(__always)
  private func row(_ index: Int, _ m: Matrix<Element>, _ before: Matrix<Element>) -> UnsafeMutablePointer<Element> {
    index < context ? before.row(index) : m.row(index - context)
  }

  private func forEachBlock(_ body: (Range<Int>) -> Void) {
    for first in stride(from: 0, to: channels, by: Self.blockChannels) {
      body(first..<min(first + Self.blockChannels, channels))
    }
  }

  /// c = sum_j w_j x_j of some channels, x_j at `row(j)`.
  @inline(__always)
  private func mix(
    _ block: Range<Int>, into c: UnsafeMutablePointer<Element>, _ row: (_ tap: Int) -> UnsafeMutablePointer<Element>
  ) {
    for first in stride(from: 0, to: taps.rows, by: Self.group) {
      let (w0, x0) = tap(first, block, row)
      let (w1, x1) = tap(first + 1, block, row)
      let (w2, x2) = tap(first + 2, block, row)
      let (w3, x3) = tap(first + 3, block, row)
      if first == 0 {
        for i in 0..<block.count { c[i] = w0[i] * x0[i] + w1[i] * x1[i] + w2[i] * x2[i] + w3[i] * x3[i] }
      } else {
        for i in 0..<block.count { c[i] += w0[i] * x0[i] + w1[i] * x1[i] + w2[i] * x2[i] + w3[i] * x3[i] }
      }
    }
  }

  /// A tap and its row; those that are not there weigh nothing.
  @inline(__always)
  private func tap(
    _ index: Int, _ block: Range<Int>, _ row: (_ tap: Int) -> UnsafeMutablePointer<Element>
  ) -> (w: UnsafeMutablePointer<Element>, x: UnsafeMutablePointer<Element>) {
    (taps.row(index) + block.lowerBound, row(min(index, context)) + block.lowerBound)
  }
}
