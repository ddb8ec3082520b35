// How fast this machine multiplies by a frozen weight: a short measurement for plans.
import Foundation
import HuggingFace
import Tensors

/// Floating-point operations a second, in 10^9.
public enum ProductRate {
  private final class Memory {
    let base: UnsafeMutableRawPointer
    init(bytes: Int) {
      base = .allocate(byteCount: bytes, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0x3D, count: bytes)
    }
    deinit { base.deallocate() }
  }

  /// Multiplies rows by a weight as it lies in a checkpoint, in `arithmetic`, for about a second, on the threads that
  /// are set.
  /// - Parameters: `rows` of x, `[rows, columns]`; the weight is `[outputs, columns]`, of `type`.
  public static func measure(
    rows: Int, outputs: Int, columns: Int, type: ElementType, arithmetic: Arithmetic
  ) -> Double {
    let memory = Memory(bytes: outputs * columns * type.byteCount)
    let weight = StoredMatrix(
      StoredTensor(
        name: "measured", type: type, shape: [outputs, columns], base: UnsafeRawPointer(memory.base), owner: memory),
      arithmetic: arithmetic)
    let x = Matrix<Float>([Float](repeating: 0.1, count: rows * columns), rows: rows, columns: columns)
    // The first product starts threads and fills caches.
    _ = weight.timesTransposed(x)
    var products = 0
    let start = ContinuousClock.now
    var seconds = 0.0
    repeat {
      _ = weight.timesTransposed(x)
      products += 1
      seconds = (ContinuousClock.now - start) / .seconds(1)
    } while seconds < 1
    return 2 * Double(products) * Double(rows) * Double(outputs) * Double(columns) / seconds / 1e9
  }
}
