import Testing

@testable import Tensors

@Suite("Stored numbers are converted exactly")
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
}
