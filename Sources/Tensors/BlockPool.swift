// Memory of matrices, kept for the next one of its size: after the first step there is no allocation in a step, and no
// page that the kernel has to clear.
import Foundation
import Synchronization

/// Blocks that matrices lie in, aligned for vector loads.
enum BlockPool {
  /// A block that nobody uses: the lock hands it from one owner to the next.
  private struct Block: @unchecked Sendable {
    let start: UnsafeMutableRawPointer
  }

  private struct Idle {
    var blocks: [Int: [Block]] = [:]
    var bytes = 0
    var liveBytes = 0
    var peakBytes = 0

    /// Frees idle blocks, the largest first, until `room` more bytes stay within what was ever needed at once.
    mutating func makeRoom(for room: Int) {
      peakBytes = max(peakBytes, liveBytes + room)
      while liveBytes + bytes + room > peakBytes, let largest = blocks.keys.max() {
        if let block = blocks[largest]?.popLast() {
          free(block.start)
          bytes -= largest
        } else {
          blocks[largest] = nil
        }
      }
    }
  }

  private static let idle = Mutex(Idle())
  /// Smaller blocks are left to the C library, which keeps them itself.
  private static let smallest = 1 << 16

  /// Bytes of the block that holds `bytes`: eight sizes an octave, so that rows of nearly the same length share blocks.
  static func capacity(_ bytes: Int) -> Int {
    guard bytes > smallest else { return max(bytes, 64) }
    let grain = 1 << (Int.bitWidth - 1 - bytes.leadingZeroBitCount - 3)
    return (bytes + grain - 1) / grain * grain
  }

  /// - Parameter capacity: as `capacity(_:)` gives it.
  static func take(_ capacity: Int) -> UnsafeMutableRawPointer {
    if capacity > smallest, let kept = reuse(capacity) { return kept.start }
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
      let kept = idle.blocks[capacity]?.popLast()
      if kept != nil { idle.bytes -= capacity } else { idle.makeRoom(for: capacity) }
      idle.liveBytes += capacity
      return kept
    }
  }
}
