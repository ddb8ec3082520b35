import Testing

@testable import Tensors

@Suite("Memory of matrices is reused")
struct BlockPoolTests {
  /// Sizes grow by an eighth at most, so that a block is never much larger than its matrix.
  @Test func capacities() {
    for bytes in stride(from: 1, to: 1 << 22, by: 4099) {
      let capacity = BlockPool.capacity(bytes)
      #expect(capacity >= bytes && (capacity <= bytes + bytes / 8 || capacity == 64))
      #expect(BlockPool.capacity(capacity) == capacity)
    }
  }

  /// Of a size that no other test uses.
  @Test func theNextMatrixOfASizeTakesTheBlock() {
    var first: Matrix<Float>? = Matrix(uninitialized: 999, 7_777)
    let address = first.map { Int(bitPattern: $0.base) }
    first = nil
    let second = Matrix<Float>(uninitialized: 7_777, 999)
    #expect(Int(bitPattern: second.base) == address)
    let third = Matrix<Float>(uninitialized: 999, 7_777)
    #expect(third.base != second.base)
    #expect(Int(bitPattern: third.base) % 64 == 0)
  }
}
