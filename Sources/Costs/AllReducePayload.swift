// The payload of the one all-reduce of an optimizer step.

/// The words of the all-reduce: the gradient of every trainable parameter, then a few counters.
package struct AllReducePayload: Sendable, Equatable {
  package enum Counter: Int, CaseIterable, Sendable {
    case nll, tokens, save, stop, state, stateSquares
  }

  /// The counters in words; the exact sum adds its own count of numbers that are not finite.
  package static let counters = "loss, tokens, not finite, save, stop, state"
  /// Bytes of a word: the exact sum is one of fixed-point numbers.
  package static let wordBytes = MemoryLayout<Int128>.stride

  /// Trainable parameters.
  package let parameters: Int

  package init(parameters: Int) { self.parameters = parameters }

  /// Words of the gradients.
  package var gradients: Range<Int> { 0..<parameters }
  /// Words that the training step fills; the exact sum has one more.
  package var count: Int { parameters + Counter.allCases.count }
  /// The word of a counter.
  package subscript(_ counter: Counter) -> Int { parameters + counter.rawValue }

  package var gradientBytes: Int { parameters * Self.wordBytes }
  package var counterBytes: Int { (Counter.allCases.count + 1) * Self.wordBytes }
  package var bytes: Int { gradientBytes + counterBytes }
}
