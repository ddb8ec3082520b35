// How many examples pass the decoder together where the run leaves it open.
import Batches
import HuggingFace
import Tensors

/// The choice that `training.micro_batch: auto` stands for.
///
/// A pass reads and packs every weight once, whatever it computes, so that short examples alone leave the processor
/// waiting for memory. The choice is a function of the run and its examples, not of the ranks: their number changes no
/// bit.
package enum ExamplesPerPass {
  /// Passes that a step has at least, if it has as many examples: the ranks share whole passes.
  static let leastPasses = 4

  /// The largest divisor of `globalBatch` with which a pass has at most about `usefulGEMMRows` tokens and saves no more
  /// than the budget beside the layers' inputs, and a step has at least `leastPasses` passes.
  /// - Parameters:
  ///   - shapes: of the run's examples; a pass is taken to have the mean of each of their numbers.
  ///   - keys: group key of each, where examples of an image share its tokens.
  package static func automatic(
    _ shapes: [ExampleShape], groups keys: [Int]?, globalBatch: Int, activations: ActivationBudget,
    _ text: TextConfiguration
  ) -> Int {
    guard !shapes.isEmpty else { return 1 }
    let all = shapes.reduce(into: (tokens: 0, answers: 0)) {
      ($0.tokens, $0.answers) = ($0.tokens + $1.tokens, $0.answers + $1.answers)
    }
    let tokens = Double(all.tokens - (keys.map { repeated(shapes, $0) } ?? 0)) / Double(shapes.count)
    let answers = Double(all.answers) / Double(shapes.count)
    func saved(_ examples: Int) -> Double {
      (0..<text.layers).reduce(0) { sum, layer in
        sum
          + SavedActivations.bytes(
            layer, tokens: Double(examples) * tokens,
            queries: Double(examples) * (layer == text.layers - 1 ? answers : tokens), text,
            activations.precision)
      }
    }
    let largest = min(globalBatch / leastPasses, Int(Double(usefulGEMMRows) / max(1, tokens)))
    let divisors = (1...max(1, largest)).filter { globalBatch % $0 == 0 }
    return divisors.last { $0 == 1 || activations.bytes == .max || saved($0) <= Double(activations.bytes) } ?? 1
  }

  /// Tokens that examples of an image have in common, but for one of them.
  private static func repeated(_ shapes: [ExampleShape], _ keys: [Int]) -> Int {
    var groups: [Int: (examples: Int, shared: Int)] = [:]
    for (key, shape) in zip(keys, shapes) {
      let group = groups[key, default: (0, .max)]
      groups[key] = (group.examples + 1, min(group.shared, shape.shared))
    }
    return groups.values.reduce(0) { $0 + ($1.examples - 1) * $1.shared }
  }

  /// What to do where ranks have nothing to do because a step has fewer passes than there are ranks; nil: all of them
  /// have work, or nothing helps.
  package static func advice(passes: Int, ranks: Int, examplesPerPass: Int) -> String? {
    guard passes < ranks, examplesPerPass > 1 else { return nil }
    let fewer = max(1, examplesPerPass * passes / ranks)
    return """
      a step has \(passes) passes for \(ranks) ranks: \(ranks - passes) of them wait; give a larger \
      training.global_batch, or training.micro_batch: \(fewer) (now \(examplesPerPass))
      """
  }
}
