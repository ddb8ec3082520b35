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

/// As `mapOverRanks`, but all ranks leave at the same item where one of them is asked to stop.
///
/// Before each item the ranks agree whether to go on. So each rank with others takes its items in the order of their
/// costs, which keeps the ranks from waiting for each other: together they wait no longer than the dearest item takes.
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
  var done: [Result] = []
  var failure: (any Error)?
  for round in 0..<(orders.map(\.count).max() ?? 0) {
    let leaves = failure != nil || isStopAsked()
    guard try communicator.allGather([leaves ? 1 : 0]).allSatisfy({ $0 == [0] }) else { break }
    guard own.indices.contains(round) else { continue }
    do {
      done.append(try communicator.watchdog.during(name(own[round])) { try body(own[round]) })
    } catch {
      failure = error
    }
  }
  try withErrorAgreement(communicator) { if let failure { throw failure } }
  var results = [Result?](repeating: nil, count: costs.count)
  for (order, found) in zip(orders, try gather(done, communicator)) {
    for (item, result) in zip(order, found) { results[item] = result }
  }
  return results
}

/// Gives every rank the results of all ranks. Binary property lists keep every bit of a Double, infinities and NaN too.
private func gather<Result: Codable>(_ results: [Result], _ communicator: any Communicator) throws -> [[Result]] {
  let encoder = PropertyListEncoder()
  encoder.outputFormat = .binary
  return try communicator.allGather(Array(encoder.encode(results))).map {
    try PropertyListDecoder().decode([Result].self, from: Data($0))
  }
}
