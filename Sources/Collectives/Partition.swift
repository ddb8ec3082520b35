// Which rank does which items.

/// Assigns items to ranks: the most expensive first, each to the rank that finishes it first, ties to the lower item
/// and rank. Where all ranks are equally fast that is the least loaded one.
///
/// - Parameters:
///   - costs: in any unit, finite and not negative.
///   - speeds: cost a second of each rank, above 0.
/// - Returns: each rank's items in ascending order. Every item is assigned once, and a rank may get none.
///   (Longest-processing-time rule, Graham 1969: with equal speeds at most 4/3 of the best makespan.)
package func partition(costs: [Double], speeds: [Double]) -> [[Int]] {
  precondition(!speeds.isEmpty && speeds.allSatisfy { $0 > 0 }, "someone must do the work")
  precondition(costs.allSatisfy { $0 >= 0 && $0.isFinite }, "costs are finite and not negative")
  var assignment = Array(repeating: [Int](), count: speeds.count)
  var loads = Loads(speeds: speeds)
  for item in byCost(costs) {
    let (rank, _) = loads.first(for: costs[item])
    loads.add(costs[item], to: rank)
    assignment[rank].append(item)
  }
  return assignment.map { $0.sorted() }
}

/// As above, with ranks that are equally fast.
package func partition(costs: [Double], ranks: Int) -> [[Int]] {
  partition(costs: costs, speeds: Array(repeating: 1, count: ranks))
}

/// Items by cost, the most expensive first, ties in their own order.
func byCost(_ costs: [Double]) -> [Int] {
  costs.indices.sorted { costs[$0] != costs[$1] ? costs[$0] > costs[$1] : $0 < $1 }
}

/// What ranks were given so far.
struct Loads {
  let speeds: [Double]
  private(set) var costs: [Double]

  init(speeds: [Double]) {
    self.speeds = speeds
    costs = Array(repeating: 0, count: speeds.count)
  }

  /// The rank that would finish another item first, and when.
  func first(for cost: Double) -> (rank: Int, seconds: Double) {
    var best = (rank: 0, seconds: (costs[0] + cost) / speeds[0])
    for rank in costs.indices.dropFirst() {
      let seconds = (costs[rank] + cost) / speeds[rank]
      if seconds < best.seconds { best = (rank, seconds) }
    }
    return best
  }

  mutating func add(_ cost: Double, to rank: Int) { costs[rank] += cost }
}
