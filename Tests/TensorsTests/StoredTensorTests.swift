import Testing

@testable import Tensors

/// Keeps the bytes of a test's stored tensor.
private final class Memory {
  let base: UnsafeMutableRawPointer
  init(_ numbers: [some BitwiseCopyable]) {
    let bytes = numbers.withUnsafeBytes { Array($0) }
    base = .allocate(byteCount: max(bytes.count, 1), alignment: 64)
    base.copyMemory(from: bytes, byteCount: bytes.count)
  }
  deinit { base.deallocate() }
}

private func stored(_ numbers: [some BitwiseCopyable], _ type: ElementType, _ shape: [Int]) -> StoredTensor {
  let memory = Memory(numbers)
  return StoredTensor(name: "test", type: type, shape: shape, base: memory.base, owner: memory)
}

@Suite("Stored numbers are the numbers of the arithmetic, exactly")
struct StoredTensorTests {
  @Test func bfloat16() {
    // 1, -2, 3.140625, the largest, the smallest denormal, infinity
    let bits: [UInt16] = [0x3F80, 0xC000, 0x4049, 0x7F7F, 0x0001, 0x7F80]
    let values: [Float] = stored(bits, .bfloat16, [6]).values()
    #expect(values == [1, -2, 3.140625, 3.3895314e38, Float.leastNonzeroMagnitude * 65536, .infinity])
  }

  @Test func float16() {
    // 1, -2, 65504 (the largest), 2^-24 (the smallest denormal), infinity
    let bits: [UInt16] = [0x3C00, 0xC000, 0x7BFF, 0x0001, 0x7C00]
    let values: [Float] = stored(bits, .float16, [5]).values()
    #expect(values == [1, -2, 65504, 0x1p-24, .infinity])
  }

  @Test func roundingIsToNearestTiesToEven() {
    #expect(ElementType.bfloat16.rounding(1 + 0x1p-8) == 1)
    #expect(ElementType.bfloat16.rounding(1 + 0x1p-8 + 0x1p-16) == 1 + 0x1p-7)
    #expect(ElementType.bfloat16.rounding(1 + 3 * 0x1p-8) == 1 + 0x1p-6)
    #expect(ElementType.float16.rounding(1 + 0x1p-11) == 1)
    #expect(ElementType.float32.rounding(1 + 0x1p-23) == 1 + 0x1p-23)
  }

  /// A weight wider than a tile's rows: products with it, tile by tile, are those with the same numbers in fp32.
  @Test(arguments: [ElementType.bfloat16, .float16]) func tiledProducts(type: ElementType) {
    let (out, columns, R) = (700, 1000, 3)
    var state: UInt32 = 1
    func next() -> Float {
      state = state &* 1_664_525 &+ 1_013_904_223
      return type.rounding(Float(Int32(bitPattern: state) >> 16) / 32768)
    }
    let numbers = (0..<out * columns).map { _ in next() }
    let encoded = numbers.map {
      type == .float16 ? Float16($0).bitPattern : UInt16(truncatingIfNeeded: $0.bitPattern >> 16)
    }
    let half = StoredMatrix(stored(encoded, type, [out, columns]))
    let single = StoredMatrix(stored(numbers, .float32, [out, columns]))
    let x = Matrix((0..<R * columns).map { _ in next() }, rows: R, columns: columns)
    let dy = Matrix((0..<R * out).map { _ in next() }, rows: R, columns: out)
    let (y, expectedY) = (half.timesTransposed(x), single.timesTransposed(x))
    for (a, b) in zip(y.values, expectedY.values) { #expect(abs(a - b) <= 1e-4) }
    let (dx, expectedDx) = (Matrix<Float>(uninitialized: R, columns), Matrix<Float>(uninitialized: R, columns))
    half.times(dy, into: dx, accumulate: false)
    single.times(dy, into: expectedDx, accumulate: false)
    for (a, b) in zip(dx.values, expectedDx.values) { #expect(abs(a - b) <= 1e-4) }
    half.times(dy, into: dx, accumulate: true)
    for (a, b) in zip(dx.values, expectedDx.values) { #expect(abs(a - 2 * b) <= 2e-4) }
    let rows: Matrix<Float> = half.gathering([699, 0])
    #expect(rows.values == Array(numbers[699_000...]) + Array(numbers[..<1000]))
  }
}
