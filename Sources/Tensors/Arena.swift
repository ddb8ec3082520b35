// One range of addresses for all large blocks: what is free beside each other becomes one, so that blocks of any sizes
// take each other's place.
import Glibc

/// Blocks within a reserved range of addresses, which has memory as far as it was ever in use; that memory is kept.
struct Arena {
  /// Passed from one owner to the next by the lock around the arena.
  struct Block: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
  }

  /// Grows by whole huge pages: one is cleared in less time than the small pages that it stands for, and a walk through
  /// a large matrix finds its addresses in the processor's cache of them.
  private static let growth = 1 << 21

  private let reserved: (start: Block, count: Int)?
  /// How many of the first bytes can be used.
  private var usable = 0
  /// Offsets of unused bytes below `usable`, ascending; no two ranges touch.
  private var unused: [Range<Int>] = []

  /// Reserves addresses, not memory: four times as many as the machine has memory, since what it has may be in use by
  /// files that are mapped; fewer where the process may not have as many (`ulimit -v`).
  init() {
    var count = max(
      Self.growth, sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)) / Self.growth * Self.growth * 4)
    while count >= Self.growth {
      let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
      if let start = mmap(nil, count + Self.growth, PROT_NONE, flags, -1, 0), start != MAP_FAILED {
        let first = start.alignedUp(toMultipleOf: Self.growth)
        _ = madvise(first, count, MADV_HUGEPAGE)
        reserved = (Block(start: first), count)
        return
      }
      count = count / 2 / Self.growth * Self.growth
    }
    reserved = nil
  }

  /// The smallest unused range that is large enough gives the block; nil if there are no addresses or memory left.
  mutating func take(_ count: Int) -> Block? {
    guard let reserved else { return nil }
    var best: Int?
    for (index, range) in unused.enumerated()
    where range.count >= count && range.count < best.map({ unused[$0].count }) ?? .max {
      best = index
    }
    if best == nil, grow(toHold: count) { best = unused.count - 1 }
    guard let best else { return nil }
    let offset = unused[best].lowerBound
    if unused[best].count == count {
      unused.remove(at: best)
    } else {
      unused[best] = offset + count..<unused[best].upperBound
    }
    return Block(start: reserved.start.start + offset)
  }

  /// Has the kernel clear memory for blocks of so many bytes together, which else their first use would wait for.
  mutating func ready(_ count: Int) {
    guard count > 0, let block = take(count) else { return }
    for page in stride(from: 0, to: count, by: Int(sysconf(Int32(_SC_PAGESIZE)))) {
      block.start.storeBytes(of: 0, toByteOffset: page, as: UInt8.self)
    }
    _ = giveBack(block, count)
  }

  /// Makes the last unused range reach beyond `usable` for `count` bytes.
  private mutating func grow(toHold count: Int) -> Bool {
    guard let reserved else { return false }
    let first = unused.last.flatMap { $0.upperBound == usable ? $0.lowerBound : nil } ?? usable
    let end = (first + count + Self.growth - 1) / Self.growth * Self.growth
    guard end <= reserved.count, mprotect(reserved.start.start + usable, end - usable, PROT_READ | PROT_WRITE) == 0
    else {
      return false
    }
    if first < usable { unused.removeLast() }
    unused.append(first..<end)
    usable = end
    return true
  }

  /// - Returns: whether the block is one of this arena's.
  mutating func giveBack(_ block: Block, _ count: Int) -> Bool {
    guard let reserved else { return false }
    let offset = block.start - reserved.start.start
    guard (0..<reserved.count).contains(offset) else { return false }
    var (low, high) = (0, unused.count)
    while low < high {
      let middle = (low + high) / 2
      if unused[middle].lowerBound < offset { low = middle + 1 } else { high = middle }
    }
    var range = offset..<offset + count
    if low < unused.count, unused[low].lowerBound == range.upperBound {
      range = range.lowerBound..<unused.remove(at: low).upperBound
    }
    if low > 0, unused[low - 1].upperBound == range.lowerBound {
      unused[low - 1] = unused[low - 1].lowerBound..<range.upperBound
    } else {
      unused.insert(range, at: low)
    }
    return true
  }
}
