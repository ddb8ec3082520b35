// How much of forward is saved for backward; what is beyond it, backward computes again.
import Tensors

/// The memory of saved activations.
package struct ActivationBudget: Equatable, Sendable {
  /// What they may take in addition to the layers' inputs, in bytes; `.max`: anything.
  package var bytes: Int
  /// The compute precision, in which some of them are kept.
  package var precision: Precision

  package init(bytes: Int, precision: Precision) { (self.bytes, self.precision) = (bytes, precision) }

  /// Of the memory beside the weights. The rest is for the layers' inputs, what lives only while a layer computes, the
  /// adapter, vision features and the program.
  static let share = 0.6

  /// What a rank may save where the run does not state it, in bytes.
  /// - Parameters:
  ///   - memory: of the node, in bytes.
  ///   - weights: which its ranks map together, in bytes.
  ///   - ranks: on the node.
  package static func automatic(memory: Double, weights: Double, ranks: Int) -> Int {
    max(0, Int(share * (memory - weights) / Double(max(1, ranks))))
  }
}
