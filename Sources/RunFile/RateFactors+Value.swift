// Factors on the learning rate as a run file states them: {A: 1, B: 100, gamma: 0.01}.
import Adapters

extension RateFactors: Value {
  static var expectation: String { "numbers above 0 for some of A, B and gamma, as {B: 16}; what is left out is 1" }

  init?(_ scalar: Scalar, folder: String) { nil }

  init?(mapping: [(key: String, value: Scalar)]) {
    self = .plain
    for (key, scalar) in mapping {
      guard let value = Double(scalar, folder: ""), value > 0, value.isFinite else { return nil }
      switch key {
      case "A": A = value
      case "B": B = value
      case "gamma": gamma = value
      default: return nil
      }
    }
  }

  var yaml: String { "{A: \(A.yaml), B: \(B.yaml), gamma: \(gamma.yaml)}" }
}
