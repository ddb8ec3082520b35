// The communicator of a program that runs alone.
import Glibc
import Synchronization

/// A group of one rank: every collective gives back what was passed.
public final class SingleProcess: Communicator {
  public let activity = Activity()
  private let counted = Mutex(Traffic())

  public init() {}

  public var rank: Int { 0 }
  public var size: Int { 1 }
  public var traffic: Traffic { counted.withLock { $0 } }

  public func sum(_ words: UnsafeMutableBufferPointer<Int128>) {
    counted.withLock { $0.addSum(words: words.count) }
  }

  public func broadcast(_ bytes: [UInt8], from root: Int) -> [UInt8] {
    precondition(root == 0, "no such rank")
    counted.withLock { $0.addOther(bytes: bytes.count) }
    return bytes
  }

  public func allGather(_ bytes: [UInt8]) -> [[UInt8]] {
    counted.withLock { $0.addOther(bytes: bytes.count) }
    return [bytes]
  }

  public func abort(status: Int32) -> Never {
    fflush(nil)
    exit(status)
  }
}
