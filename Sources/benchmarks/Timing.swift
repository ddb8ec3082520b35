// How times are taken and put together.
import Foundation
import Tensors

/// Seconds that `body` takes.
func seconds<T>(_ body: () throws -> T) rethrows -> (seconds: Double, result: T) {
  let start = ContinuousClock.now
  let result = try body()
  return ((ContinuousClock.now - start) / .seconds(1), result)
}

/// Seconds of one call of `body`, called again until a clock can be trusted.
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

/// The middle value; of an even number of them the mean of the two in the middle.
/// - Precondition: there is one.
func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A square product large enough to show what this machine can do: the measure of all others.
final class SquareProduct {
  let precision: Precision
  let side: Int
  private let x: Matrix<Float>
  private let y: Matrix<Float>
  private let weight: StoredMatrix
  /// Rates of all measurements, in operations a second.
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

  /// Measures once more.   -> operations a second
  @discardableResult
  func measure() -> Double {
    let n = Double(side)
    let rate = 2 * n * n * n / secondsOfOne(multiplyOnce)
    rates.append(rate)
    return rate
  }

  /// One line of all measurements.
  var line: String {
    "square product \(side), \(precision.rawValue): \(gflops(median(rates))) GFLOP/s, \(gflops(rates.min() ?? 0)) to "
      + "\(gflops(rates.max() ?? 0)) in \(rates.count) measurements"
  }
}
