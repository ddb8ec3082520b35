// Memory of freed matrices, reused for the next matrix of the same size: after the first step a step allocates nothing,
// and the kernel has no page to clear.
import Foundation
import Synchronization

/// Blocks that matrices lie in, aligned for vector loads.
enum BlockPool {
  /// An unused block: the lock passes it from one owner to the next.
  private struct Block: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
  }

  private struct Idle {
    var blocks: [Int: [Block]] = [:]
    var bytes = 0
    var liveBytes = 0
    var peakBytes = 0

    /// Frees idle blocks, the largest first, until `needed` more bytes stay within what was ever in use at once.
    mutating func free(toFit needed: Int) {
      peakBytes = max(peakBytes, liveBytes + needed)
      while liveBytes + bytes + needed > peakBytes, let largest = blocks.keys.max() {
        if let block = blocks[largest]?.popLast() {
          Foundation.free(block.start)
          bytes -= largest
        } else {
          blocks[largest] = nil
        }
      }
    }
  }

  private static let idle = Mutex(Idle())
  /// Smaller blocks are left to the C library, which has a cache of its own.
  private static let smallest = 1 << 16

  /// Bytes of the block that holds `bytes`: eight sizes an octave, so that batches of nearly the same length share
  /// blocks.
  static func capacity(_ bytes: Int) -> Int {
    guard bytes > smallest else { return max(bytes, 64) }
    let grain = 1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount - 3)
    return (bytes + grain - 1) / grain * grain
  }

  /// - Parameter capacity: as `capacity(_:)` gives it.
  static func take(_ capacity: Int) -> UnsafeMutableRawPointer {
    if capacity > smallest, let block = reuse(capacity) { return block.start }
    var raw: UnsafeMutableRawPointer?
    let status = posix_memalign(&raw, 64, capacity)
    // Checked in every build: preconditions are not, in this module.
    guard status == 0, let raw else { fatalError("no memory for \(capacity) bytes") }
    return raw
  }

  static func giveBack(_ block: UnsafeMutableRawPointer, capacity: Int) {
    guard capacity > smallest else { return free(block) }
    let block = Block(start: block)
    idle.withLock { idle in
      idle.blocks[capacity, default: []].append(block)
      idle.bytes += capacity
      idle.liveBytes -= capacity
    }
  }

  private static func reuse(_ capacity: Int) -> Block? {
    idle.withLock { idle in
      let block = idle.blocks[capacity]?.popLast()
      if block != nil { idle.bytes -= capacity } else { idle.free(toFit: capacity) }
      idle.liveBytes += capacity
      return block
    }
  }
}
