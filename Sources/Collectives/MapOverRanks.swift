// Work on many items by all ranks; every rank gets all results in the items' order.
import Foundation

/// Runs `body` for each item on the rank that it is assigned to and gives every rank all results, in item order.
/// - Parameters:
///   - assignment: the items of each rank; together every item from 0 on, once.
///   - name: what a rank does with an item, for its `watchdog`.
/// - Throws: the same `RankFailure` on every rank if any item failed.
/// - Important: Collective.
package func mapOverRanks<Result: Codable>(
  _ assignment: [[Int]], _ communicator: any Communicator, naming name: (Int) -> String, _ body: (Int) throws -> Result
) throws -> [Result] {
  precondition(assignment.count == communicator.size, "one list of items a rank")
  let own = try withErrorAgreement(communicator) {
    try assignment[communicator.rank].map { item in try communicator.watchdog.during(name(item)) { try body(item) } }
  }
  let pairs = zip(assignment, try gather(own, communicator)).flatMap { zip($0, $1) }
  return pairs.sorted { $0.0 < $1.0 }.map(\.1)
}

/// As `mapOverRanks`, but all ranks leave together where one of them is asked to stop.
///
/// A rank that is asked leaves after the item at hand; the others after theirs, or after two seconds of items. So often
/// do the ranks agree whether to go on. Each rank with others takes its items in the order of their costs, so that no
/// rank waits long for another.
/// - Parameters:
///   - costs: of every item, in any unit.
///   - isStopAsked: whether this rank is asked to stop.
/// - Returns: the results in item order, nil for items that no rank has begun.
/// - Throws: the same `RankFailure` on every rank if any item failed.
/// - Important: Collective.
package func mapOverRanks<Result: Codable>(
  _ assignment: [[Int]], costs: [Double], _ communicator: any Communicator, stopping isStopAsked: () -> Bool,
  naming name: (Int) -> String, _ body: (Int) throws -> Result
) throws -> [Result?] {
  precondition(assignment.count == communicator.size, "one list of items a rank")
  let orders =
    communicator.size == 1
    ? assignment
    : assignment.map { $0.sorted { costs[$0] != costs[$1] ? costs[$0] > costs[$1] : $0 < $1 } }
  let own = orders[communicator.rank]
  let longest = orders.map(\.count).max() ?? 0
  var done: [Result] = []
  var failure: (any Error)?
  // Items of each rank that all agreed on, and how many more at a time.
  var (agreed, stretch) = (0, 0)
  // The longest that an item took since the last agreement.
  var slowest = 0.0
  while agreed < longest {
    let (goesOn, seconds) = try agreement(
      leaving: failure != nil || isStopAsked(), seconds: slowest, communicator)
    guard goesOn else { break }
    stretch = max(1, min(2 * stretch, Int(2 / max(seconds, 1e-6))))
    agreed += stretch
    slowest = 0
    while done.count < min(agreed, own.count), failure == nil, !isStopAsked() {
      let (item, start) = (own[done.count], ContinuousClock.now)
      do {
        done.append(try communicator.watchdog.during(name(item)) { try body(item) })
      } catch {
        failure = error
      }
      slowest = max(slowest, (ContinuousClock.now - start) / .seconds(1))
    }
  }
  try withErrorAgreement(communicator) { if let failure { throw failure } }
  var results = [Result?](repeating: nil, count: costs.count)
  for (order, found) in zip(orders, try gather(done, communicator)) {
    for (item, result) in zip(order, found) { results[item] = result }
  }
  return results
}

/// Whether no rank leaves, and the most seconds of all ranks, the same on every rank.
private func agreement(
  leaving: Bool, seconds: Double, _ communicator: any Communicator
) throws -> (goesOn: Bool, seconds: Double) {
  let reports = try communicator.allGather([leaving ? 1 : 0] + withUnsafeBytes(of: seconds, Array.init)).map { report in
    (leaves: report[0] != 0, seconds: report.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: 1, as: Double.self) })
  }
  return (!reports.contains { $0.leaves }, reports.map(\.seconds).max() ?? 0)
}

/// Gives every rank the results of all ranks. Binary property lists keep every bit of a Double, infinities and NaN too.
private func gather<Result: Codable>(_ results: [Result], _ communicator: any Communicator) throws -> [[Result]] {
  let encoder = PropertyListEncoder()
  encoder.outputFormat = .binary
  return try communicator.allGather(Array(encoder.encode(results))).map {
    try PropertyListDecoder().decode([Result].self, from: Data($0))
  }
}
