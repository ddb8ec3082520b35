// Units of work: rows that share their images are computed together, and units are dealt to ranks by cost.

/// Rows whose images are the same: their common prefix is computed once.
package struct ImageGroup: Sendable, Equatable {
  /// Most rows of a unit where it is formed over a whole data set.
  package static let maximumRows = 16
  /// Most tokens of such a unit, unless it has a single row.
  package static let maximumTokens = 8192

  /// Indices into the data set, in the order of the step or the data set.
  package let rows: [Int]
  package init(rows: [Int]) { self.rows = rows }
}

extension Sampler {
  /// A step's rows as units: neighbours of equal key become one; without keys every row is its own.
  package func units(step: Int, grouping keys: [Int]? = nil) -> [ImageGroup] {
    precondition(keys == nil || keys?.count == rowCount, "one group key a row")
    let rows = rows(step: step)
    guard let keys else { return rows.map { ImageGroup(rows: [$0]) } }
    var units: [[Int]] = []
    for row in rows {
      if let neighbour = units.last?.last, keys[neighbour] == keys[row] {
        units[units.count - 1].append(row)
      } else {
        units.append([row])
      }
    }
    return units.map(ImageGroup.init(rows:))
  }
}

/// A group key for each row: equal where the lists of images are equal; a row without images is alone.
package func imageGroups(of rows: [Example]) -> [Int] {
  var keys: [[ImageSource]: Int] = [:]
  return rows.enumerated().map { index, row in
    guard !row.images.isEmpty else { return index }
    let key = keys[row.images] ?? index
    keys[row.images] = key
    return key
  }
}

/// Units that are computed together, as many as `rows` rows: those of one row join, a unit of several rows is alone, and
/// rows of text are apart from rows with pictures, since no adapter learns from them. A function of the units alone, so
/// that the number of ranks changes no bit.
package func microBatches(of units: [ImageGroup], rows: Int, isText: (Int) -> Bool) -> [[ImageGroup]] {
  var batches: [[ImageGroup]] = []
  var open: [Bool: Int] = [:]
  for unit in units {
    let kind = isText(unit.rows[0])
    if unit.rows.count == 1, let place = open[kind], batches[place].count < rows {
      batches[place].append(unit)
      continue
    }
    if unit.rows.count == 1 { open[kind] = batches.count }
    batches.append([unit])
  }
  return batches
}

/// All rows as units, in the order of their first rows: rows of the same images together, as many as memory should hold
/// at once. A function of the rows and their tokens alone.
/// - Parameter tokens: how many tokens a unit has.
package func units(of rows: [Example], tokens: (ImageGroup) -> Int) -> [ImageGroup] {
  var units: [ImageGroup] = []
  var open: [Int: Int] = [:]
  for (row, key) in imageGroups(of: rows).enumerated() {
    if let place = open[key] {
      let larger = ImageGroup(rows: units[place].rows + [row])
      if larger.rows.count <= ImageGroup.maximumRows, tokens(larger) <= ImageGroup.maximumTokens {
        units[place] = larger
        continue
      }
    }
    open[key] = units.count
    units.append(ImageGroup(rows: [row]))
  }
  return units
}

/// What was found for the rows of each unit, put into the order of all rows.
/// - Precondition: the units have every row from 0 on, once, and a result for each.
package func inRowOrder<Result>(_ results: [[Result]], of units: [ImageGroup]) -> [Result] {
  let rows = units.flatMap(\.rows)
  precondition(results.map(\.count) == units.map(\.rows.count), "a result a row")
  return zip(rows, results.joined()).sorted { $0.0 < $1.0 }.map(\.1)
}

/// Deals units to ranks: the costliest first, each to the least loaded rank, ties to the lower unit and rank.
///
/// `costs` in any unit, finite and not negative. Returns each rank's units in ascending order; every unit is dealt once
/// and a rank may get none. (Longest-processing-time rule, Graham 1969: at most 4/3 of the best makespan.)
package func partition(costs: [Double], ranks: Int) -> [[Int]] {
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
