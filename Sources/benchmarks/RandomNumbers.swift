// Random matrices and weights. Constant values would be too fast: they let a processor run cooler.
import RandomNumbers
import Tensors

/// Values of both signs, with magnitudes up to 0.03.
func randomMatrix(_ rows: Int, _ columns: Int, seed: UInt64 = 0) -> Matrix<Float> {
  let matrix = Matrix<Float>(uninitialized: rows, columns)
  var generator = SplitMix64(seed: seed)
  for index in 0..<rows * columns {
    matrix.base[index] = Float(Int32(truncatingIfNeeded: generator.next())) * 0x1p-36
  }
  return matrix
}

/// Memory of a random weight.
private final class WeightMemory {
  let base: UnsafeMutableRawPointer

  /// Values with magnitudes from 2^-7 to 2^-5.
  init(count: Int, type: ElementType) {
    base = .allocate(byteCount: count * type.byteCount, alignment: 64)
    var generator = SplitMix64(seed: 1)
    for index in 0..<count {
      let bits = generator.next()
      // Sign and mantissa at random, exponent 0x3c or 0x3d.
      let number = UInt32(truncatingIfNeeded: bits) & 0x80FF_FFFF | 0x3C00_0000
      if type == .float32 {
        base.storeBytes(of: number, toByteOffset: 4 * index, as: UInt32.self)
      } else {
        base.storeBytes(of: UInt16(number >> 16), toByteOffset: 2 * index, as: UInt16.self)
      }
    }
  }

  deinit { base.deallocate() }
}

/// A random weight, stored as in a checkpoint.
func randomTensor(_ shape: [Int], type: ElementType) -> StoredTensor {
  let memory = WeightMemory(count: shape.reduce(1, *), type: type)
  return StoredTensor(name: "random", type: type, shape: shape, base: UnsafeRawPointer(memory.base), owner: memory)
}
