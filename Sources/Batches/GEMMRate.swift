// How fast this machine multiplies by a frozen weight: a short measurement for plans and for utilization.
import Foundation
import HuggingFace
import Tensors

/// FLOPs a second, in 10^9.
package enum GEMMRate {
  private final class Memory {
    let base: UnsafeMutableRawPointer
    init(bytes: Int) {
      base = .allocate(byteCount: bytes, alignment: 64)
      base.initializeMemory(as: UInt8.self, repeating: 0x3D, count: bytes)
    }
    deinit { base.deallocate() }
  }

  /// Multiplies x by a weight as it lies in a checkpoint, in `precision`, for about `duration` seconds, on the threads
  /// that are set.
  /// - Parameters: x is `[tokens, columns]`; the weight is `[outputs, columns]`, of `type`.
  package static func measure(
    tokens: Int, outputs: Int, columns: Int, type: ElementType, precision: Precision, duration: Double = 1
  ) -> Double {
    let memory = Memory(bytes: outputs * columns * type.byteCount)
    let weight = StoredMatrix(
      StoredTensor(
        name: "measured", type: type, shape: [outputs, columns], base: UnsafeRawPointer(memory.base), owner: memory),
      precision: precision)
    let x = Matrix<Float>([Float](repeating: 0.1, count: tokens * columns), rows: tokens, columns: columns)
    // The first GEMM starts threads and fills caches.
    _ = weight.timesTransposed(x)
    var count = 0
    let start = ContinuousClock.now
    var seconds = 0.0
    repeat {
      _ = weight.timesTransposed(x)
      count += 1
      seconds = (ContinuousClock.now - start) / .seconds(1)
    } while seconds < duration
    return 2 * Double(count) * Double(tokens) * Double(outputs) * Double(columns) / seconds / 1e9
  }
}
