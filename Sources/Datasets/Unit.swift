// Units of work: rows that share their images are computed together, and units are dealt to ranks by cost.

/// Rows of one step whose images are the same: their common prefix is computed once.
public struct Unit: Sendable, Equatable {
  /// Indices into the data set, in the step's order.
  public let rows: [Int]
  public init(rows: [Int]) { self.rows = rows }
}

extension Sampler {
  /// A step's rows as units: neighbours of equal key become one; without keys every row is its own.
  public func units(step: Int, grouping keys: [Int]? = nil) -> [Unit] {
    precondition(keys == nil || keys?.count == rowCount, "one group key a row")
    let rows = rows(step: step)
    guard let keys else { return rows.map { Unit(rows: [$0]) } }
    var units: [[Int]] = []
    for row in rows {
      if let neighbour = units.last?.last, keys[neighbour] == keys[row] {
        units[units.count - 1].append(row)
      } else {
        units.append([row])
      }
    }
    return units.map(Unit.init(rows:))
  }
}

/// A group key for each row: equal where the lists of images are equal; a row without images is alone.
public func imageGroups(of rows: [Row]) -> [Int] {
  var keys: [[ImageSource]: Int] = [:]
  return rows.enumerated().map { index, row in
    guard !row.images.isEmpty else { return index }
    let key = keys[row.images] ?? index
    keys[row.images] = key
    return key
  }
}

/// Deals units to ranks: the costliest first, each to the least loaded rank, ties to the lower unit and rank.
///
/// `costs` in any unit, finite and not negative. Returns each rank's units in ascending order; every unit is dealt once
/// and a rank may get none. (Longest-processing-time rule, Graham 1969: at most 4/3 of the best makespan.)
public func deal(units costs: [Double], ranks: Int) -> [[Int]] {
  precondition(ranks > 0, "someone must do the work")
  precondition(costs.allSatisfy { $0 >= 0 && $0.isFinite }, "costs are finite and not negative")
  var hands = Array(repeating: [Int](), count: ranks)
  var loads = Array(repeating: 0.0, count: ranks)
  let order = costs.indices.sorted { costs[$0] != costs[$1] ? costs[$0] > costs[$1] : $0 < $1 }
  for unit in order {
    let rank = loads.indices.reduce(0) { loads[$1] < loads[$0] ? $1 : $0 }
    hands[rank].append(unit)
    loads[rank] += costs[unit]
  }
  return hands.map { $0.sorted() }
}
