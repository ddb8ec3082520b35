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

/// How many times longer work takes when its input is twice as long, by an input of a length and one of eight times
/// that length: 2 if it is linear, 4 if it is quadratic. The least of several rounds.
///
/// Caches that the longer input does not fit into slow linear work down, twofold in all; three doublings leave room for
/// that, where one would not, and nothing makes quadratic work look linear.
/// - Parameters:
///   - length: the longer input's; work on the shorter one should take about a millisecond.
///   - input: makes the input of a length.
package func growth<Input>(
  to length: Int, input: (_ length: Int) throws -> Input, work: (Input) throws -> some Any
) rethrows -> Double {
  let inputs = try [length / 8, length].map(input)
  _ = try work(inputs[0])
  var best = Double.infinity
  for _ in 0..<60 where best > 2.3 {
    var least = [Duration.seconds(1 << 30), .seconds(1 << 30)]
    for _ in 0..<3 {
      for (index, input) in inputs.enumerated() {
        least[index] = min(least[index], try threadTime { _ = try work(input) })
      }
    }
    // Below this the allocator and the caches decide.
    best = min(best, cbrt(least[1] / max(least[0], .microseconds(500))))
  }
  return best
}
