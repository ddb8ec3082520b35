// What an adapter costs, as its layout says, and the rows that it is applied to: for comparisons of finished runs.
import Adapters
import RunFile

/// Sizes of an adapter that follow from its layout alone.
public struct AdapterCosts: Sendable, Equatable {
  public let trainable: Int
  /// Bytes that a rank hands to a step's one reduction.
  public let reducedBytes: Int
  /// Floating-point operations of the adapter at one token that it acts on, forward: two for each number of its
  /// matrices. Backward is twice that.
  public let operationsPerToken: Int

  public init(_ layout: AdapterLayout) {
    trainable = layout.count
    let reduced = Stepper.reducedBytes(parameters: layout.count)
    reducedBytes = reduced.gradients + reduced.counts
    operationsPerToken = 2 * layout.tensors.reduce(0) { $0 + ($1.shape.isEmpty ? 0 : $1.range.count) }
  }
}

/// Lengths of a run's training rows.
public struct RowLengths: Sendable, Equatable {
  public let rows: Int
  /// Means over the rows that were read.
  public let tokens, visualTokens: Double

  /// Reads rows, the headers of their pictures and the tokenizer; no weights.
  /// - Throws: the error of the first file that is missing or broken.
  public init(_ run: RunConfiguration) throws {
    let planned = try PlannedRows(reading: run)
    let count = Double(planned.shapes.count)
    rows = planned.count ?? planned.shapes.count
    tokens = planned.shapes.reduce(0) { $0 + Double($1.tokens) } / count
    visualTokens = planned.shapes.reduce(0) { $0 + Double($1.visual) } / count
  }
}
