// Which rows are run together: a function of the rows alone, so that the number of ranks changes no bit.
import Datasets

/// Units whose answers are generated together.
struct Batch {
  private(set) var units: [ImageGroup]
  /// Tokens of all rows and of their answers at their longest.
  private(set) var tokens: Int
  /// Indices of all rows, unit by unit.
  var rows: [Int] { units.flatMap(\.rows) }

  /// All rows in batches within the bounds of a unit: one unit a batch where nothing is generated, otherwise
  /// as many as fit. Rows of text are in batches of their own, which no adapter can change.
  /// - Parameters:
  ///   - newTokens: the longest answer; 0: nothing is generated.
  ///   - tokens: how many tokens a unit has.
  static func all(of rows: [Example], newTokens: Int, tokens: (ImageGroup) -> Int) -> [Batch] {
    func held(_ unit: ImageGroup) -> Int { tokens(unit) + unit.rows.count * newTokens }
    let units = Datasets.units(of: rows, tokens: held)
    func isText(_ unit: ImageGroup) -> Bool { rows[unit.rows[0]].images.isEmpty }
    var batches: [Batch] = []
    for kind in [units.filter { !isText($0) }, units.filter(isText)] {
      var batch = Batch(units: [], tokens: 0)
      for unit in kind {
        let fits =
          newTokens > 0 && batch.rows.count + unit.rows.count <= ImageGroup.maximumRows
          && batch.tokens + held(unit) <= ImageGroup.maximumTokens
        if !fits, !batch.units.isEmpty {
          batches.append(batch)
          batch = Batch(units: [], tokens: 0)
        }
        batch.units.append(unit)
        batch.tokens += held(unit)
      }
      if !batch.units.isEmpty { batches.append(batch) }
    }
    return batches
  }
}
