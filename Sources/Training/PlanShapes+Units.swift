// What a unit costs as it really runs: its shape from the decoder's rows, not from lengths alone.
import HuggingFace
import QwenVL
import Units

extension UnitShape {
  /// The shape of a batch as it passes the decoder with an adapter of visual tokens: the tokens after its prefix KV cache,
  /// each pair of a query and a key counted.
  /// - Parameter pictures: patches of each of its pictures.
  package init(_ batch: PackedBatch, pictures: [Int]) {
    self.init(
      batch.slots(), visual: batch.visual.map(\.tokens), outputPositions: batch.outputPositions,
      known: batch.prefixTokens, rows: batch.sampleCount, pictures: pictures)
  }

  /// The same of `rows` examples that are not made from samples.
  package init(_ input: DecoderInput<Float>, outputPositions: [Int], rows: Int, pictures: [Int]) {
    self.init(
      input.slots, visual: input.visual.map(\.tokens), outputPositions: outputPositions, known: 0, rows: rows,
      pictures: pictures)
  }

  /// - Parameter known: how many of the first tokens do not pass the decoder.
  private init(
    _ slots: [SequenceSlot], visual spans: [Range<Int>], outputPositions: [Int], known: Int, rows: Int,
    pictures: [Int]
  ) {
    var seen: [(shared: Range<Int>, own: Range<Int>)] = []
    for slot in slots {
      let earlier = slot.own.upperBound - slot.newTokens
      for token in 0..<slot.newTokens { seen.append((slot.shared, slot.own.lowerBound..<earlier + token + 1)) }
    }
    seen.removeFirst(known)
    func pairs(_ rows: some Sequence<Int>) -> Double {
      rows.reduce(0) { $0 + Double(seen[$1].shared.count + seen[$1].own.count) }
    }
    self.rows = rows
    tokens = seen.count
    visual = spans.reduce(0) { $0 + $1.count }
    answers = outputPositions.count
    let first = spans.first.map { $0.lowerBound - known } ?? seen.count
    self.first = first
    self.pairs = pairs(seen.indices)
    latePairs = pairs(first..<seen.count)
    let firstKey = first < seen.count ? seen[first].own.upperBound - 1 : 0
    keptPairs = seen[first...].reduce(0) { sum, keys in
      sum + Double(keys.shared.clamped(to: firstKey..<max(firstKey, keys.shared.upperBound)).count)
        + Double(keys.own.clamped(to: firstKey..<max(firstKey, keys.own.upperBound)).count)
    }
    answerPairs = pairs(outputPositions.map { $0 - known })
    self.pictures = pictures
  }
}

extension UnitOperations {
  /// The part of `backward` that computes attention's scores a second time: work that is done and not counted as useful.
  package static func repeatedScores(
    _ unit: UnitShape, budgets: LayerBudgets, _ configuration: ModelConfiguration
  ) -> Double {
    let t = configuration.text
    guard unit.visual > 0, unit.answers > 0, budgets.lowest < t.layers else { return 0 }
    let whole = Double(t.layers - 1 - budgets.lowest) * unit.latePairs
    return 2 * Double(t.attentionHeads * t.headDimension) * (whole + unit.answerPairs)
  }
}
