import Glibc
import Testing

@testable import Tensors

@Suite("Memory of matrices is reused")
struct BlockPoolTests {
  @Test func capacities() {
    for bytes in stride(from: 1, to: 1 << 22, by: 4099) {
      let capacity = BlockPool.capacity(bytes)
      #expect(capacity >= bytes && (capacity < bytes + 4096 || capacity == 64))
      #expect(BlockPool.capacity(capacity) == capacity)
    }
  }

  @Test func matricesOfOneTimeDoNotOverlap() {
    let matrices = (1...20).map { Matrix<Float>(uninitialized: 999, 100 * $0) }
    for (index, matrix) in matrices.enumerated() {
      #expect(Int(bitPattern: matrix.base) % 64 == 0)
      for row in 0..<matrix.rows { matrix.row(row).update(repeating: Float(index), count: matrix.columns) }
    }
    for (index, matrix) in matrices.enumerated() {
      #expect(
        (0..<matrix.rows).allSatisfy { row in (0..<matrix.columns).allSatisfy { matrix.row(row)[$0] == Float(index) } })
    }
  }

  /// The smallest range that is large enough is taken, and neighbours become one when they are free.
  @Test func anArenaReusesWhatIsFree() {
    var pages = Pages()
    let starts = [5, 1, 3, 1, 7, 1].map { pages.take($0) }
    #expect(starts == [0, 5, 6, 9, 10, 17])
    pages.giveBack(0, 5)
    pages.giveBack(6, 3)
    #expect(pages.take(3) == 6)
    #expect(pages.take(4) == 0)
    // Pages 4 to 16 are free in the end, and one range.
    pages.giveBack(5, 1)
    pages.giveBack(6, 3)
    pages.giveBack(10, 7)
    pages.giveBack(9, 1)
    #expect(pages.take(13) == 4)
  }

  /// What is all given back is one range again.
  @Test func blocksOfAnArenaNeverOverlap() {
    var (pages, chance) = (Pages(), SystemRandomNumberGenerator())
    pages.giveBack(pages.take(1 << 14), 1 << 14)
    var taken: [Range<Int>] = []
    for _ in 0..<5000 {
      if !taken.isEmpty, Bool.random(using: &chance) {
        let block = taken.remove(at: .random(in: taken.indices, using: &chance))
        pages.giveBack(block.lowerBound, block.count)
      } else {
        let count = Int.random(in: 1...64, using: &chance)
        let start = pages.take(count)
        #expect(!taken.contains { $0.overlaps(start..<start + count) })
        taken.append(start..<start + count)
      }
    }
    for block in taken { pages.giveBack(block.lowerBound, block.count) }
    #expect(pages.take(1 << 14) == 0)
  }

  @Test func anArenaLeavesMemoryOfOthersAlone() {
    var arena = Arena()
    let other = UnsafeMutableRawPointer.allocate(byteCount: 4096, alignment: 64)
    defer { other.deallocate() }
    let isOurs = arena.giveBack(Arena.Block(start: other), 4096)
    #expect(!isOurs)
  }
}

/// An arena whose blocks are counted in pages from its first one.
private struct Pages {
  var arena = Arena()
  private var base: UnsafeMutableRawPointer?

  mutating func take(_ count: Int) -> Int {
    guard let block = arena.take(count << 12) else { return -1 }
    base = base ?? block.start
    return base.map { (block.start - $0) >> 12 } ?? -1
  }

  mutating func giveBack(_ start: Int, _ count: Int) {
    guard let base else { return }
    let isOurs = arena.giveBack(Arena.Block(start: base + (start << 12)), count << 12)
    #expect(isOurs)
  }

  /// Memory that was readied is there before it is written to.
  @Test func readied() throws {
    var arena = Arena()
    let bytes = 8 << 20
    func residentPages(of block: Arena.Block) -> Int {
      var pages = [UInt8](repeating: 0, count: bytes / 4096)
      return mincore(block.start, bytes, &pages) == 0 ? pages.count { $0 & 1 == 1 } : -1
    }
    arena.ready(bytes)
    let taken = arena.take(bytes)
    #expect(residentPages(of: try #require(taken)) == bytes / 4096)
    // Beyond it there is none yet.
    let another = arena.take(bytes)
    #expect(residentPages(of: try #require(another)) == 0)
    arena.ready(0)
  }
}
