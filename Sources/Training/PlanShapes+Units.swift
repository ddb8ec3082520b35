// What a unit costs as it really runs: its shape from the decoder's rows, not from lengths alone.
import HuggingFace
import QwenVL
import Units

extension UnitShape {
  /// The shape of a unit as it is packed, each pair of a query and a key counted.
  /// - Parameter pictures: patches of each of its pictures.
  package init(_ input: UnitInput, pictures: [Int]) {
    self.init(input.decoderInput, outputRows: input.outputRows, rows: input.rowCount, pictures: pictures)
  }

  /// The same of `rows` rows that are not made from samples.
  package init(_ input: DecoderInput<Float>, outputRows: [Int], rows: Int, pictures: [Int]) {
    var seen: [(shared: Range<Int>, own: Range<Int>)] = []
    for run in input.runs {
      let earlier = run.own.upperBound - run.rows
      for row in 0..<run.rows { seen.append((run.shared, run.own.lowerBound..<earlier + row + 1)) }
    }
    func pairs(_ rows: some Sequence<Int>) -> Double {
      rows.reduce(0) { $0 + Double(seen[$1].shared.count + seen[$1].own.count) }
    }
    self.rows = rows
    tokens = seen.count
    visual = input.visual.reduce(0) { $0 + $1.count }
    answers = outputRows.count
    let first = input.visual.first?.lowerBound ?? seen.count
    self.first = first
    self.pairs = pairs(seen.indices)
    latePairs = pairs(first..<seen.count)
    let firstKey = first < seen.count ? seen[first].own.upperBound - 1 : 0
    keptPairs = seen[first...].reduce(0) { sum, keys in
      sum + Double(keys.shared.clamped(to: firstKey..<max(firstKey, keys.shared.upperBound)).count)
        + Double(keys.own.clamped(to: firstKey..<max(firstKey, keys.own.upperBound)).count)
    }
    answerPairs = pairs(outputRows)
    self.pictures = pictures
  }
}

extension UnitOperations {
  /// The part of `backward` that computes attention's scores a second time: work that is done and not counted as
  /// useful.
  package static func repeatedScores(
    _ unit: UnitShape, budgets: LayerBudgets, _ configuration: ModelConfiguration
  ) -> Double {
    let t = configuration.text
    guard unit.visual > 0, unit.answers > 0, budgets.lowest < t.layers else { return 0 }
    let whole = Double(t.layers - 1 - budgets.lowest) * unit.latePairs
    return 2 * Double(t.attentionHeads * t.headDimension) * (whole + unit.answerPairs)
  }
}
