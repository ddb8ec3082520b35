// How times are measured and summarized.
import Foundation
import Tensors

/// Seconds that `body` takes.
func seconds<T>(_ body: () throws -> T) rethrows -> (seconds: Double, result: T) {
  let start = ContinuousClock.now
  let result = try body()
  return ((ContinuousClock.now - start) / .seconds(1), result)
}

/// Seconds of one call of `body`, which is repeated until the clock is precise enough.
func secondsOfOne(atLeast least: Double = 0.02, _ body: () -> Void) -> Double {
  let start = ContinuousClock.now
  var (calls, elapsed) = (0.0, 0.0)
  repeat {
    body()
    calls += 1
    elapsed = (ContinuousClock.now - start) / .seconds(1)
  } while elapsed < least
  return elapsed / calls
}

/// The median; for an even number of values, the mean of the two in the middle.
/// - Precondition: `values` is not empty.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A square GEMM large enough to reach this machine's peak, to which all other rates are compared.
final class ReferenceGEMM {
  let precision: Precision
  let side: Int
  private let x: Matrix<Float>
  private let y: Matrix<Float>
  private let weight: StoredMatrix
  /// Rates of all measurements, in FLOP/s.
  private(set) var rates: [Double] = []

  init(side: Int, precision: Precision) {
    self.side = side
    self.precision = precision
    x = randomMatrix(side, side)
    y = Matrix(uninitialized: side, side)
    let type: ElementType = precision == .bfloat16 ? .bfloat16 : .float32
    weight = StoredMatrix(randomTensor([side, side], type: type), precision: precision)
    multiplyOnce()  // Starts threads.
  }

  private func multiplyOnce() { weight.times(x, into: y, accumulate: false) }

  /// Measures once more.   -> FLOP/s
  @discardableResult
  func measure() -> Double {
    let n = Double(side)
    let rate = 2 * n * n * n / secondsOfOne(multiplyOnce)
    rates.append(rate)
    return rate
  }

  /// A line about all measurements.
  var line: String {
    "square GEMM \(side), \(precision.rawValue): \(gflops(median(rates))) GFLOP/s, \(gflops(rates.min() ?? 0)) to "
      + "\(gflops(rates.max() ?? 0)) in \(rates.count) measurements"
  }
}
