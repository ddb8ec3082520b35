// How many examples pass the decoder together, as a run file states it.

/// `training.micro_batch`: a number of examples, or `auto`.
package enum MicroBatch: Sendable, Equatable {
  /// By the lengths of the run's examples (`ExamplesPerPass`); a run that has read them has a number.
  case auto
  case examples(Int)

  fileprivate static let accepted = 1...4096

  /// Settles what was left open.
  package mutating func settle(_ count: Int) {
    if self == .auto { self = .examples(count) }
  }
}

extension MicroBatch: Value {
  static var expectation: String { "auto, or an integer from \(accepted.lowerBound) to \(accepted.upperBound)" }

  init?(_ scalar: Scalar, folder: String) {
    if scalar.text == "auto" {
      self = .auto
    } else if let count = Int(scalar, folder: folder), Self.accepted.contains(count) {
      self = .examples(count)
    } else {
      return nil
    }
  }

  var yaml: String {
    switch self {
    case .auto: "auto"
    case .examples(let count): count.yaml
    }
  }
}
