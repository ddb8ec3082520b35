// Decides from what is known of the ranks whether somebody is waited for too long. No clock, no file, no thread.

/// What one rank knows of all ranks, and what follows.
struct StallTracker {
  enum Verdict: Equatable {
    case none
    /// A line about work that takes long.
    case report(String)
    /// The line with which the job ends.
    case end(String)
  }

  private struct Other {
    var heartbeat: Heartbeat
    /// Seconds without a new heartbeat.
    var silent = 0.0
  }

  let rank: Int
  let size: Int
  let host: String
  let rules: StallRules
  /// Seconds since any rank that is heard from got on.
  private var quiet = 0.0
  private var own = Activity()
  private var others: [Int: Other] = [:]
  /// Multiples of the stall timeout that were reported of the present work or wait.
  private var reports = 0

  init(rank: Int, size: Int, host: String, rules: StallRules) {
    (self.rank, self.size, self.host, self.rules) = (rank, size, host, rules)
  }

  /// Takes what this rank does now.
  /// - Parameter seconds: since the last call, without times in which this process was stopped.
  mutating func tick(_ activity: Activity, seconds: Double) -> Verdict {
    if activity.progress != own.progress { (quiet, reports) = (0, 0) } else { quiet += seconds }
    own = activity
    let longest = others.values.reduce(own.longest) { max($0, $1.heartbeat.activity.longest) }
    if let limit = rules.limit.seconds(longest: longest), quiet >= limit { return .end(ending(after: quiet)) }
    guard own.isWaiting || own.work != nil, own.seconds >= rules.timeout * Double(reports + 1) else { return .none }
    reports = Int(own.seconds / rules.timeout)
    return speaks ? .report("\(place): \(present), for \(Int(own.seconds)) s so far") : .none
  }

  /// Takes the records of all ranks, nil for those that have none.
  /// - Parameter seconds: since the last call.
  mutating func hear(_ heartbeats: [Heartbeat?], seconds: Double) {
    for case let heartbeat? in heartbeats where heartbeat.rank != rank {
      var other = others[heartbeat.rank] ?? Other(heartbeat: heartbeat)
      if heartbeat.activity.progress != other.heartbeat.activity.progress { quiet = 0 }
      other.silent = heartbeat.number != other.heartbeat.number ? 0 : other.silent + seconds
      other.heartbeat = heartbeat
      others[heartbeat.rank] = other
    }
  }

  private var place: String { "rank \(rank) of \(size) on \(host)" }

  private var present: String {
    guard own.isWaiting else { return own.words }
    let names = missing.map { $0.words }
    guard !names.isEmpty else { return "waiting for other ranks in \(own.phase)" }
    let more = names.count > 4 ? " and \(names.count - 4) more" : ""
    return "waiting in \(own.phase) for \(names.prefix(4).joined(separator: ", "))\(more)"
  }

  /// The ranks that are waited for: those not heard from, and those that have not come as far as the foremost.
  private var missing: [(rank: Int, words: String)] {
    let foremost = others.values.reduce(own.arrivals) { max($0, $1.heartbeat.activity.arrivals) }
    return others.values.filter { $0.silent >= rules.silence || $0.heartbeat.activity.arrivals < foremost }
      .sorted { $0.heartbeat.rank < $1.heartbeat.rank }
      .map { other in
        let (beat, activity) = (other.heartbeat, other.heartbeat.activity)
        let silence = other.silent >= rules.silence ? ", not heard from for \(Int(other.silent)) s" : ""
        return (beat.rank, "rank \(beat.rank) on \(beat.host) (\(activity.words)\(silence))")
      }
  }

  /// Of the ranks that wait, the first one says so, for all. Without news of others that is rank 0.
  private var speaks: Bool {
    guard own.isWaiting, rank > 0 else { return true }
    let absent = Set(missing.map(\.rank))
    return (0..<rank).allSatisfy { absent.contains($0) }
  }

  private func ending(after seconds: Double) -> String {
    let unknown = (0..<size).filter { $0 != rank && others[$0] == nil }
    var words = "\(place): no progress for \(Int(seconds)) s: \(present)"
    if own.isWaiting, missing.isEmpty {
      words +=
        unknown.isEmpty
        ? ", which all have come as far: a link of the network may be cut"
        : "; nothing is known of rank \(unknown.prefix(8).map(String.init).joined(separator: ", "))"
          + (unknown.count > 8 ? " and \(unknown.count - 8) more" : "")
    }
    return words + "; the job ends (logging.stall_limit_seconds); start it again, a training run with --resume auto"
  }
}
