// Losses of many rows by all ranks: validation during training, and evaluation.
import Collectives
import Datasets
import QwenVL
import Units

/// Loss of each row in order, the same bits for any number of ranks; nil if a signal to stop came meanwhile.
/// - Important: Collective.
public func rowLosses(
  _ job: Job, _ rows: PreparedRows, adapter: (any ValueAdapter<Float>)?, signals: SignalRequests
) throws -> [RowLoss]? {
  let hands = deal(units: rows.tokens.map(Double.init), ranks: job.communicator.size)
  let losses: [RowLoss?] = try mapOverRanks(hands, job.communicator) { index -> RowLoss? in
    if signals.stopRequested { return nil }
    let input = try job.base.unitInput(Datasets.Unit(rows: [index]), of: rows)
    return job.base.loss(input, adapter: adapter)[0]
  }
  return losses.contains { $0 == nil } ? nil : losses.compactMap(\.self)
}
