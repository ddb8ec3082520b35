// Losses of many examples by all ranks: validation during training.
import Batches
import Collectives
import Datasets
import QwenVL

extension Job {
  /// Loss of each example in order, examples of the same images computed together; the same bits for any number of
  /// ranks.
  /// - Returns: nil if a signal to stop came meanwhile.
  /// - Important: Collective.
  func losses(
    of examples: PreparedExamples, adapter: (any ProjectionAdapter<Float>)?, signals: SignalRequests
  ) throws -> [SampleLoss]? {
    let groups = imageGroups(of: examples.examples, tokens: examples.tokens(of:))
    let losses: [[SampleLoss]?] = try mapOverRanks(
      costs: groups.map { Double(examples.tokens(of: $0)) }, communicator, stopping: { signals.stopRequested },
      naming: { "validating \(names(groups[$0].examples.map { examples.examples[$0] }))" }
    ) { base.loss(try base.packedBatch([groups[$0]], of: examples), adapter: adapter) }
    return losses.contains { $0 == nil } ? nil : inExampleOrder(losses.compactMap(\.self), of: groups)
  }
}
