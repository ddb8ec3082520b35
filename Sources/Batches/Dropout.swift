// The dropout of a step: a function of seed, step and example, so that it is the same on any ranks and after a resume.
import QwenVL
import RandomNumbers

/// A step's dropout.
package struct Dropout: Sendable {
  /// Share of a module's input numbers that are left out, above 0 and below 1.
  let rate: Double
  private let step: UInt64

  package init(rate: Double, seed: UInt64, step: Int) {
    self.rate = rate
    var generator = SplitMix64(seed: seed ^ 0x6472_6f70_6f75_7400, stream: UInt64(step))
    self.step = generator.next()
  }

  /// A key of each token.
  /// - Parameter places: the example of each token by its id, and which of the example's tokens it is.
  func tokens(_ places: [(id: String, token: Int)]) -> TokenDropout {
    var generators: [String: UInt64] = [:]
    return TokenDropout(
      rate: rate,
      keys: places.map { id, token in
        let example = generators[id] ?? self.example(id)
        generators[id] = example
        return Self.key(example, token)
      })
  }

  /// A key of each patch of an example's image.
  func patches(_ count: Int, image: Int, of id: String) -> TokenDropout {
    let example = Self.key(example(id), -1 - image)
    return TokenDropout(rate: rate, keys: (0..<count).map { Self.key(example, $0) })
  }

  private func example(_ id: String) -> UInt64 {
    var value = step
    for byte in id.utf8 { value = (value ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
    return value
  }

  private static func key(_ example: UInt64, _ place: Int) -> UInt64 {
    var generator = SplitMix64(seed: example, stream: UInt64(bitPattern: Int64(place)))
    return generator.next()
  }
}
