// Softmax and its gradient on one row of a block's scores.
import Tensors

/// Place for the scores of a block, the same for each: rows whole vectors of numbers apart.
struct Scores<Element: Scalar> {
  private let numbers: Matrix<Element>

  init(_ spans: [AttentionSpan]) {
    let counts = spans.flatMap { $0.blocks.map { $0.rows.count * wholeVectors($0.keyCount) } }
    numbers = Matrix(uninitialized: 1, counts.max() ?? 0)
  }

  /// Undefined numbers, `[rows, keys]`.
  func matrix(_ block: AttentionBlock) -> Matrix<Element> {
    let (rows, stride) = (block.rows.count, wholeVectors(block.keyCount))
    return numbers.columns(0..<rows * stride).reshaped(rows: rows, columns: stride).columns(0..<block.keyCount)
  }
}

extension Attention {
  /// Products of a query and its keys to probabilities before their normalization, in place; those of keys that the
  /// query does not see become 0.
  /// - Returns: what the row is to be divided by, and the log sum exp of the scaled scores.
  @inline(__always)
  func softmax(_ s: UnsafeMutablePointer<Element>, visible n: Int, of count: Int) -> (sum: Element, logSumExp: Element)
  {
    let (scale, whole) = (scale, wholeVectors(n))
    for j in n..<whole { s[j] = -.infinity }
    let largest = Element.maximum(whole, s)
    for j in 0..<whole { s[j] = Element.exponential((s[j] - largest) * scale) }
    for j in n..<wholeVectors(count) { s[j] = 0 }
    let sum = Element.sum(whole, s)
    return (sum, largest * scale + Element.naturalLogarithm(sum))
  }

  /// Products of a query and its keys to probabilities, in place, by the log sum exp that forward saved.
  @inline(__always)
  func probabilities(_ s: UnsafeMutablePointer<Element>, visible n: Int, of count: Int, logSumExp: Element) {
    let (scale, whole) = (scale, wholeVectors(n))
    for j in n..<whole { s[j] = -.infinity }
    for j in 0..<whole { s[j] = Element.exponential(s[j] * scale - logSumExp) }
    for j in n..<wholeVectors(count) { s[j] = 0 }
  }

  /// ds = p (dp - p dp) / sqrt D, in place of dp. p dp is do o as well, but in bf16 only what dp was rounded with gives
  /// rows that sum to 0.
  @inline(__always)
  func differentiate(_ p: UnsafeMutablePointer<Element>, dp: UnsafeMutablePointer<Element>, count: Int) {
    let (scale, mean) = (scale, Element.dot(count, p, dp))
    for j in 0..<count { dp[j] = p[j] * (dp[j] - mean) * scale }
  }
}

/// The numbers of as many vectors of 512 bits as `count` numbers need: loops over them have no rest that is computed
/// number by number.
private func wholeVectors(_ count: Int) -> Int { (count + 15) & ~15 }
