// Work on many items by all ranks; every rank gets all results in the items' order.
import Foundation

/// Runs `body` for each item on some rank and gives every rank all results, in item order.
///
/// Items are dealt in rounds of about two seconds, the most expensive first, by the speeds that the ranks had so far;
/// which rank does an item never shows in a result. Before each round the ranks agree whether to go on: one that is
/// asked to stop leaves after the item at hand, the others after their round.
/// - Parameters:
///   - costs: of every item, in any unit.
///   - isStopAsked: whether this rank is asked to stop.
///   - progress: takes the items that all ranks have done, before each round.
///   - name: what a rank does with an item, for its `watchdog`.
/// - Returns: the results in item order, nil for items that no rank has begun.
/// - Throws: the same `RankFailure` on every rank if any item failed.
/// - Important: Collective.
package func mapOverRanks<Result: Codable>(
  costs: [Double], _ communicator: any Communicator, stopping isStopAsked: () -> Bool,
  progress: (_ done: ArraySlice<Int>) -> Void = { _ in }, naming name: (Int) -> String, _ body: (Int) throws -> Result
) throws -> [Result?] {
  var rounds = Rounds(costs: costs, ranks: communicator.size)
  var speed = RankSpeed()
  var done: [Done<Result>] = []
  var failure: (any Error)?
  while !rounds.isEmpty {
    progress(rounds.dealt)
    let leaves = failure != nil || isStopAsked()
    guard let codes = try agreement(leaving: leaves, speed.code, communicator) else { break }
    for item in rounds.deal(codes)[communicator.rank] {
      guard failure == nil, !isStopAsked() else { break }
      let start = ContinuousClock.now
      do {
        done.append(Done(item: item, result: try communicator.watchdog.during(name(item)) { try body(item) }))
      } catch {
        failure = error
      }
      speed.took((.now - start) / .seconds(1), for: max(costs[item], .leastNormalMagnitude))
    }
  }
  try withErrorAgreement(communicator) { if let failure { throw failure } }
  var results = [Result?](repeating: nil, count: costs.count)
  for done in try gather(done, communicator).joined() { results[done.item] = done.result }
  return results
}

/// As above, to the last item; all items cost about the same.
package func mapOverRanks<Result: Codable>(
  _ count: Int, _ communicator: any Communicator, naming name: (Int) -> String, _ body: (Int) throws -> Result
) throws -> [Result] {
  try mapOverRanks(
    costs: Array(repeating: 1, count: count), communicator, stopping: { false }, naming: name, body
  ).compactMap(\.self)
}

private struct Done<Result: Codable>: Codable {
  let item: Int
  let result: Result
}

/// Deals items to ranks, round by round; every rank deals alike.
struct Rounds {
  /// Seconds of a round, unless an item takes longer.
  private static var length: Double { 2 }
  private let costs: [Double]
  /// The items in the order in which they are dealt, and how many are.
  private let order: [Int]
  private var count = 0
  private let ranks: Int

  init(costs: [Double], ranks: Int) {
    (self.costs, self.ranks) = (costs, ranks)
    // Nobody waits for a rank that is alone.
    order = ranks == 1 ? Array(costs.indices) : byCost(costs)
  }

  /// The items that were dealt.
  var dealt: ArraySlice<Int> { order[..<count] }
  var isEmpty: Bool { count == order.count }

  /// The items of each rank for the next round; one each while no speed is known.
  mutating func deal(_ codes: [UInt16]) -> [[Int]] {
    var round = Array(repeating: [Int](), count: ranks)
    guard codes.contains(where: { $0 > 0 }) else {
      for rank in 0..<min(ranks, order.count - count) { round[rank].append(order[count + rank]) }
      count += min(ranks, order.count - count)
      return round
    }
    let speeds = RankSpeed.speeds(codes)
    var loads = Loads(speeds: speeds)
    let slowest = costs[order[count]] / (speeds.min() ?? 1)
    // Ranks that differ need several items each to finish together.
    let isEven = speeds.allSatisfy { $0 == speeds[0] }
    let length = max(Self.length, (isEven ? 1 : 3) * slowest)
    while !isEmpty {
      let item = order[count]
      let (rank, seconds) = loads.first(for: costs[item])
      guard seconds <= length * (1 + 1e-9) || round[rank].isEmpty else { break }
      loads.add(costs[item], to: rank)
      round[rank].append(item)
      count += 1
    }
    return round
  }
}

/// The codes of all ranks' speeds, the same on every rank; nil where a rank leaves.
private func agreement(
  leaving: Bool, _ code: UInt16, _ communicator: any Communicator
) throws -> [UInt16]? {
  let reports = try communicator.allGather([leaving ? 1 : 0, UInt8(code & 0xFF), UInt8(code >> 8)])
  guard !reports.contains(where: { $0[0] != 0 }) else { return nil }
  return reports.map { UInt16($0[1]) | UInt16($0[2]) << 8 }
}

/// Gives every rank the results of all ranks. Binary property lists keep every bit of a Double, infinities and NaN too.
private func gather<Result: Codable>(_ results: [Result], _ communicator: any Communicator) throws -> [[Result]] {
  guard communicator.size > 1 else {
    // Nothing to encode, but as many collectives as on any number of ranks.
    _ = try communicator.allGather([])
    return [results]
  }
  let encoder = PropertyListEncoder()
  encoder.outputFormat = .binary
  return try communicator.allGather(Array(encoder.encode(results))).map {
    try PropertyListDecoder().decode([Result].self, from: Data($0))
  }
}
