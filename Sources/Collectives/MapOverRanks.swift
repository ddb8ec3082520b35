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
  // Binary property lists keep every bit of a Double, infinities and NaN too.
  let encoder = PropertyListEncoder()
  encoder.outputFormat = .binary
  let gathered = try communicator.allGather(Array(encoder.encode(own))).map {
    try PropertyListDecoder().decode([Result].self, from: Data($0))
  }
  let pairs = zip(assignment, gathered).flatMap { zip($0, $1) }
  return pairs.sorted { $0.0 < $1.0 }.map(\.1)
}
