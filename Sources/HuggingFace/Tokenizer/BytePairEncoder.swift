// Byte-pair encoding of one word: the pair of lowest rank, leftmost first, merges until none is left.

/// Scratch space for encoding words one after the other; time is n log n in a word's bytes.
struct BytePairEncoder {
  private struct Symbol {
    var id: Int32
    var previous: Int
    /// Index of the next symbol, `count` after the last one.
    var next: Int
    /// False once merged into the symbol before it.
    var isAlive = true
  }

  private let vocabulary: Vocabulary
  private var symbols: [Symbol] = []
  private var candidates = MinimumHeap()

  init(_ vocabulary: Vocabulary) { self.vocabulary = vocabulary }

  /// Appends the ids of `bytes[word]` to `ids`; bytes without a piece are left out before anything merges.
  mutating func encode(_ bytes: [UInt8], _ word: Range<Int>, into ids: inout [Int32]) {
    symbols.removeAll(keepingCapacity: true)
    for byte in bytes[word] {
      let id = vocabulary.byteIDs[Int(byte)]
      guard id >= 0 else { continue }
      symbols.append(Symbol(id: id, previous: symbols.count - 1, next: symbols.count + 1))
    }
    let count = symbols.count
    for index in 0..<count { push(index) }
    while let candidate = candidates.pop() {
      let left = Int(candidate & 0xFFFF_FFFF)
      // A candidate is stale once one of its parts took part in another merge: the pair's rank then differs.
      guard symbols[left].isAlive, symbols[left].next < count else { continue }
      let right = symbols[left].next
      guard let merge = vocabulary.merge(symbols[left].id, symbols[right].id),
        UInt64(merge.rank) == candidate >> 32
      else { continue }
      symbols[left].id = merge.id
      symbols[left].next = symbols[right].next
      symbols[right].isAlive = false
      if symbols[right].next < count { symbols[symbols[right].next].previous = left }
      if symbols[left].previous >= 0 { push(symbols[left].previous) }
      push(left)
    }
    var index = 0
    while index < count {
      ids.append(symbols[index].id)
      index = symbols[index].next
    }
  }

  /// Makes the pair that begins at symbol `left` a candidate if it merges.
  private mutating func push(_ left: Int) {
    let right = symbols[left].next
    guard right < symbols.count, let merge = vocabulary.merge(symbols[left].id, symbols[right].id) else { return }
    candidates.push(UInt64(merge.rank) << 32 | UInt64(left))
  }
}

/// A binary heap with the smallest number on top.
struct MinimumHeap {
  private var items: [UInt64] = []

  mutating func push(_ item: UInt64) {
    var index = items.count
    items.append(item)
    while index > 0, items[(index - 1) / 2] > item {
      items[index] = items[(index - 1) / 2]
      index = (index - 1) / 2
    }
    items[index] = item
  }

  mutating func pop() -> UInt64? {
    guard let top = items.first, let item = items.popLast() else { return nil }
    guard !items.isEmpty else { return top }
    var index = 0
    while true {
      var child = 2 * index + 1
      guard child < items.count else { break }
      if child + 1 < items.count, items[child + 1] < items[child] { child += 1 }
      guard items[child] < item else { break }
      items[index] = items[child]
      index = child
    }
    items[index] = item
    return top
  }
}
