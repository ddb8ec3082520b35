// What an adapter costs, from its layout alone: for comparisons of finished runs.
import Adapters

/// Sizes of an adapter that follow from its layout alone.
package struct AdapterCosts: Sendable, Equatable {
  /// Trainable parameters.
  package let trainable: Int
  /// Bytes of a rank's all-reduce payload in a step of few ranks.
  package let reducedBytes: Int
  /// FLOPs of the adapter at one token that it acts on, forward: two for each element of its matrices. Backward is
  /// twice that.
  package let flopsPerToken: Int

  package init(_ layout: AdapterLayout) {
    trainable = layout.count
    reducedBytes = AllReducePayload(parameters: layout.count, ranks: 1).bytes
    flopsPerToken = 2 * layout.tensors.reduce(0) { $0 + ($1.shape.isEmpty ? 0 : $1.range.count) }
  }
}
