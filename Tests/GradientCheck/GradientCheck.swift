// Central differences in double precision, the oracle of every backward pass.
import Tensors

/// A small generator of test numbers, the same on every machine.
package struct TestNumbers {
  private var state: UInt64
  package init(seed: UInt64 = 1) { state = seed }

  /// Uniform in [-1, 1).
  package mutating func next() -> Double {
    state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
    return Double(Int64(bitPattern: state) >> 11) / Double(1 << 52)
  }

  package mutating func matrix(_ rows: Int, _ columns: Int) -> Matrix<Double> {
    Matrix((0..<rows * columns).map { _ in next() }, rows: rows, columns: columns)
  }

  /// A stored fp32 tensor, as a checkpoint would hold it.
  package mutating func tensor(_ shape: [Int], scale: Double = 1) -> StoredTensor {
    let values = (0..<shape.reduce(1, *)).map { _ in Float(next() * scale) }
    let owner = TensorMemory(values)
    return StoredTensor(name: "test", type: .float32, shape: shape, base: owner.base, owner: owner)
  }
}

/// Keeps the numbers of a test's stored tensor.
private final class TensorMemory {
  let base: UnsafeRawPointer
  init(_ values: [Float]) {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: values.count)
    _ = memory.initialize(from: values)
    base = UnsafeRawPointer(memory.baseAddress.unsafelyUnwrapped)
  }
  deinit { base.deallocate() }
}

/// Largest difference between `gradient` and the central differences of `loss` over all elements of `x`, relative to
/// the largest difference quotient.
/// - Parameters:
///   - fourthOrder: whether quotients come from four points, whose steps may be so long that rounding counts little:
///     for gradients that are small beside the loss.
///   - step: between the points; shorter where the loss bends much.
package func gradientError(
  of x: Matrix<Double>, gradient: Matrix<Double>, fourthOrder: Bool = false, step: Double? = nil, loss: () -> Double
) -> Double {
  let step = step ?? (fourthOrder ? 1e-3 : 1e-5)
  precondition(gradient.rows == x.rows && gradient.columns == x.columns)
  var (worst, largest) = (0.0, 0.0)
  for i in 0..<x.rows {
    for j in 0..<x.columns {
      let kept = x.row(i)[j]
      func difference(_ steps: Double) -> Double {
        x.row(i)[j] = kept + steps * step
        let above = loss()
        x.row(i)[j] = kept - steps * step
        let below = loss()
        x.row(i)[j] = kept
        return above - below
      }
      let numeric =
        fourthOrder ? (8 * difference(1) - difference(2)) / (12 * step) : difference(1) / (2 * step)
      worst = max(worst, abs(numeric - gradient.row(i)[j]))
      largest = max(largest, abs(numeric))
    }
  }
  return largest > 0 ? worst / largest : worst
}

/// `sum(x w)`: a loss whose gradient with respect to x is w.
package func weighted(_ x: Matrix<Double>, _ w: Matrix<Double>) -> Double {
  (0..<x.rows).reduce(0) { $0 + Double.dot(x.columns, x.row($1), w.row($1)) }
}
