// Memory of freed matrices, reused for later ones: after the first step a step allocates nothing, and the kernel has no
// page to clear.
import Foundation
import Synchronization

/// Blocks that matrices lie in, aligned for vector loads.
enum BlockPool {
  private static let arena = Mutex(Arena())
  /// Smaller blocks are left to the C library, which has a cache of its own.
  private static let smallest = 1 << 13
  private static let page = 4096

  /// Bytes of the block that holds `bytes`.
  static func capacity(_ bytes: Int) -> Int {
    bytes > smallest ? (bytes + page - 1) / page * page : max(bytes, 64)
  }

  /// - Parameter capacity: as `capacity(_:)` gives it.
  static func take(_ capacity: Int) -> UnsafeMutableRawPointer {
    if capacity > smallest, let block = arena.withLock({ $0.take(capacity)?.start }) { return block }
    var raw: UnsafeMutableRawPointer?
    let status = posix_memalign(&raw, 64, capacity)
    // Checked in every build: preconditions are not, in this module.
    guard status == 0, let raw else { fatalError("no memory for \(capacity) bytes") }
    return raw
  }

  static func ready(_ bytes: Int) { arena.withLock { $0.ready(capacity(bytes)) } }

  static func giveBack(_ block: UnsafeMutableRawPointer, capacity: Int) {
    let block = Arena.Block(start: block)
    if capacity > smallest, arena.withLock({ $0.giveBack(block, capacity) }) { return }
    free(block.start)
  }
}

/// Readies memory for matrices of so many bytes together: the first ones then take no longer than later ones.
package func readyMatrixMemory(bytes: Int) { BlockPool.ready(bytes) }
