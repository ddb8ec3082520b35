// The communicator of a program that runs alone.
import Glibc
import Synchronization

/// A group of one rank: every collective gives back what was passed.
package final class SingleProcess: Communicator {
  package let watchdog = Watchdog()
  private let counted = Mutex(Traffic())

  package init() {}

  package var rank: Int { 0 }
  package var size: Int { 1 }
  package var traffic: Traffic { counted.withLock { $0 } }

  package func sum(_ words: UnsafeMutableBufferPointer<Int64>) {
    counted.withLock { $0.addSum(words: words.count) }
  }

  package func broadcast(_ bytes: [UInt8], from root: Int) -> [UInt8] {
    precondition(root == 0, "no such rank")
    counted.withLock { $0.addOther(bytes: bytes.count) }
    return bytes
  }

  package func allGather(_ bytes: [UInt8]) -> [[UInt8]] {
    counted.withLock { $0.addOther(bytes: bytes.count) }
    return [bytes]
  }

  package func abort(status: Int32) -> Never {
    fflush(nil)
    exit(status)
  }
}
