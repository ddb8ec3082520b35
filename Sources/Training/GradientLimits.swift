// In what the words of a step's exact sum count: each tensor's gradients have a bound of their own, which follows them.
import Adapters
import Collectives

/// Bounds of the gradients that a step adds up, as exponents of two, one a tensor. They are a function of the steps
/// before, the same on all ranks, and part of the optimizer's state.
struct GradientLimits {
  private(set) var exponents: [Int]
  /// Before anything is known.
  private static let start = 12
  /// A batch's gradients may be that many powers of two larger than the sum of the step before; those of a tensor that
  /// had none, than the largest of all.
  private static let (headroom, firstHeadroom) = (14, 16)
  /// A tensor's largest sum has at least so many bits; as Float has 24.
  private static let bits = 26
  /// A loss is below 2^20.
  static let nll = 20

  init(_ state: OptimizerState, tensors: Int) {
    exponents =
      state.gradientExponents.count == tensors
      ? state.gradientExponents : Array(repeating: Self.start, count: tensors)
  }

  /// What the words of a tensor count in.
  func form(_ tensor: Int, addends: Int) -> FixedPoint { FixedPoint(limit: exponents[tensor], addends: addends) }

  /// Takes what was found to be too large.
  /// - Parameter largest: exponents of what was found in each tensor, by rank.
  mutating func raise(to largest: [[Int]]) {
    for tensor in exponents.indices {
      let found = largest.map { $0[tensor] }.max() ?? .min
      if found > exponents[tensor] { exponents[tensor] = found + Self.headroom }
    }
  }

  /// Whether sums are too small for the words of their tensor, as where its gradients begin or shrink all at once: then
  /// it takes finer ones, and the step begins again.
  /// - Parameter found: as for `follow`.
  mutating func refine(_ found: [Int?], addends: Int) -> Bool {
    var isRefined = false
    for (tensor, exponent) in found.enumerated() {
      guard let exponent, exponent > -100, exponent - form(tensor, addends: addends).unit < Self.bits else { continue }
      exponents[tensor] = max(-100, exponent + Self.headroom)
      isRefined = true
    }
    return isRefined
  }

  /// Follows a step's sums. A tensor whose gradients were all zero, as of A while B is 0, takes the largest bound.
  /// - Parameter found: a power of two above the sums of each tensor; nil where all are zero.
  mutating func follow(_ found: [Int?]) {
    guard let largest = found.compactMap(\.self).max() else { return }
    exponents = found.map { max(-100, $0.map { $0 + Self.headroom } ?? largest + Self.firstHeadroom) }
  }
}
