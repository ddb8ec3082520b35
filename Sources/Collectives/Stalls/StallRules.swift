// When a rank that gets on no more is reported, and when the job is ended.

/// How long nothing may go on before the job is ended.
package enum StallLimit: Sendable, Equatable {
  /// The job is never ended.
  case off
  /// Half an hour, or ten times the longest step or piece of work so far where that is more.
  case automatic
  case seconds(Double)

  /// - Parameter longest: the longest step or piece of work so far, in seconds.
  func seconds(longest: Double) -> Double? {
    switch self {
    case .off: nil
    case .automatic: max(1800, 10 * longest)
    case .seconds(let seconds): seconds
    }
  }
}

/// The patience with ranks.
package struct StallRules: Sendable, Equatable {
  /// Seconds that one piece of work or one wait may take before it is reported, again after each further time as long.
  package let timeout: Double
  /// Seconds without progress of any rank that is heard from before the job ends.
  package let limit: StallLimit

  package init(timeout: Double, limit: StallLimit) { (self.timeout, self.limit) = (timeout, limit) }

  /// The shortest time that decides something.
  private var shortest: Double { min(timeout, limit.seconds(longest: 0) ?? .infinity) }

  /// Seconds between two looks at this rank, and between two heartbeats.
  var tick: Double { min(1, shortest / 4) }
  var beat: Double { min(10, max(0.2, shortest / 20)) }
  /// A rank without a new heartbeat for so long is not heard from.
  var silence: Double { max(4 * beat, min(5, shortest / 2)) }
}
