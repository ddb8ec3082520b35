// How time grows with the length of an input: parsers of hostile files must be linear, or nearly so.

/// How many times longer work on an input of twice the length takes: the least of several pairs, since a busy machine
/// slows some of them down.
/// - Parameter work: does it on an input of 2 to the power of its argument, 0 or 1, times some length; the shorter one
///   should take some milliseconds.
package func growth(_ work: (_ doublings: Int) throws -> some Any) rethrows -> Double {
  let clock = ContinuousClock()
  var least = (short: Duration.seconds(1 << 30), long: Duration.seconds(1 << 30))
  _ = try work(0)
  for _ in 0..<5 {
    least.short = min(least.short, try clock.measure { _ = try work(0) })
    least.long = min(least.long, try clock.measure { _ = try work(1) })
  }
  // Below a millisecond the clock and the allocator decide.
  return least.long / max(least.short, .milliseconds(1))
}
