// How time grows with the length of an input: parsers of hostile files must be linear, or nearly so.
import Glibc

/// Processor time of this thread for some work; other work on the machine does not count.
package func threadTime(_ work: () throws -> Void) rethrows -> Duration {
  func now() -> Duration {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return .seconds(time.tv_sec) + .nanoseconds(time.tv_nsec)
  }
  let start = now()
  try work()
  return now() - start
}

/// How many times longer work on an input of twice the length takes: the least of several rounds of several pairs.
/// Memory and caches that others use slow some of them down, but nothing makes quadratic work look linear.
/// - Parameter work: does it on an input of 2 to the power of its argument, 0 or 1, times some length; the shorter one
///   should take some milliseconds.
package func growth(_ work: (_ doublings: Int) throws -> some Any) rethrows -> Double {
  _ = try work(0)
  var best = Double.infinity
  for _ in 0..<60 where best > 2.5 {
    var least = [Duration.seconds(1 << 30), .seconds(1 << 30)]
    for _ in 0..<5 {
      for doublings in 0...1 {
        least[doublings] = min(least[doublings], try threadTime { _ = try work(doublings) })
      }
    }
    // Below this the allocator and the caches decide.
    best = min(best, least[1] / max(least[0], .milliseconds(3)))
  }
  return best
}
