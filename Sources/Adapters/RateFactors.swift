// How much faster or slower than the learning rate each kind of an adapter's tensors is trained.
import HuggingFace

/// Factors on the learning rate of an adapter's tensors.
package struct RateFactors: Sendable, Equatable {
  package var A, B, gamma: Double

  /// Every parameter at the learning rate itself.
  package static let plain = RateFactors(A: 1, B: 1, gamma: 1)

  package init(A: Double, B: Double, gamma: Double) { (self.A, self.B, self.gamma) = (A, B, gamma) }

  /// Ranges of the layout that have the same factor, in order; together all of it.
  package func ranges(_ layout: AdapterLayout) -> [(range: Range<Int>, factor: Double)] {
    layout.tensors.reduce(into: []) { ranges, tensor in
      let factor = factor(of: tensor.name)
      if let last = ranges.indices.last, ranges[last].factor == factor {
        ranges[last].range = ranges[last].range.lowerBound..<tensor.range.upperBound
      } else {
        ranges.append((tensor.range, factor))
      }
    }
  }

  /// - Parameter name: as the layout names a tensor: `layers.{l}.{A,B,gamma}` or `layers.{l}.{projection}.{A,B}`.
  private func factor(of name: String) -> Double {
    switch name.utf8.last {
    case UInt8(ascii: "A"): A
    case UInt8(ascii: "B"): B
    default: gamma
    }
  }
}
