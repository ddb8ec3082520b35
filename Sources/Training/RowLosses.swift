// Losses of many rows by all ranks: validation during training.
import Collectives
import Datasets
import QwenVL
import Units

/// Loss of each row in order, rows of the same pictures computed together; the same bits for any number of ranks. Nil if a signal to stop came meanwhile.
/// - Important: Collective.
package func rowLosses(
  _ job: Job, _ rows: PreparedRows, adapter: (any ProjectionAdapter<Float>)?, signals: SignalRequests
) throws -> [SampleLoss]? {
  let units = units(of: rows.rows, tokens: rows.tokens(of:))
  let hands = deal(units: units.map { Double(rows.tokens(of: $0)) }, ranks: job.communicator.size)
  let losses: [[SampleLoss]?] = try mapOverRanks(
    hands, job.communicator, naming: { "validating \(names(units[$0].rows.map { rows.rows[$0] }))" }
  ) { index -> [SampleLoss]? in
    if signals.stopRequested { return nil }
    return job.base.loss(try job.base.packedBatch([units[index]], of: rows), adapter: adapter)
  }
  return losses.contains { $0 == nil } ? nil : inRowOrder(losses.compactMap(\.self), of: units)
}
