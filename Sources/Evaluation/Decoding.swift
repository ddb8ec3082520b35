// How the tokens of an answer are chosen, and what ends it besides the model's own end tokens.
import Digests
import Foundation
import RandomNumbers

/// Greedy decoding or sampling.
package struct Decoding: Sendable, Equatable {
  /// 0: the top-1 token each time. Otherwise tokens are drawn from the softmax of logits divided by it.
  package var temperature: Double
  /// The fewest tokens, the most likely first, whose probabilities add up to this are drawn from.
  package var topP: Double
  /// Every answer draws from a stream of its own, by this and its example's id: the same on any ranks.
  package var seed: UInt64
  /// Texts that end an answer and are no part of it.
  package var stops: [String]

  package static let greedy = Decoding()

  package init(temperature: Double = 0, topP: Double = 1, seed: UInt64 = 0, stops: [String] = []) {
    precondition(temperature >= 0 && topP > 0 && topP <= 1 && !stops.contains(""), "no way to decode")
    (self.temperature, self.topP, self.seed, self.stops) = (temperature, topP, seed, stops)
  }

  /// The random numbers of an example's answer.
  func source(of id: String) -> SplitMix64 {
    SplitMix64(seed: seed, stream: UInt64(SHA256.hex(id).prefix(16), radix: 16) ?? 0)
  }

  /// Draws a token.   logits [V]
  /// - Precondition: the temperature is above 0.
  func draw(_ logits: UnsafeBufferPointer<Float>, _ source: inout SplitMix64) -> Int32 {
    let most = Double(logits.max() ?? 0)
    // Of equal probabilities the lower id first.
    let weights = logits.map { exp((Double($0) - most) / temperature) }
    let order = topP < 1 ? weights.indices.sorted { (weights[$1], $0) < (weights[$0], $1) } : Array(weights.indices)
    let total = weights.reduce(0, +)
    var (kept, mass) = (0, 0.0)
    while kept < order.count, topP == 1 || mass < topP * total {
      mass += weights[order[kept]]
      kept += 1
    }
    var rest = source.nextUnit() * mass
    for token in order.prefix(kept) {
      rest -= weights[token]
      if rest < 0 { return Int32(token) }
    }
    return Int32(order[max(kept, 1) - 1])
  }

  /// Where an answer ends before a stop text that its last token completes, in bytes; nil where it goes on.
  /// - Parameter added: how many of the bytes are the last token's.
  func end(of bytes: [UInt8], added: Int) -> Int? {
    stops.compactMap { stop -> Int? in
      let stop = Array(stop.utf8)
      let start = max(0, bytes.count - added - stop.count + 1)
      return (start..<max(start, bytes.count - stop.count + 1)).first { bytes[$0...].starts(with: stop) }
    }.min()
  }
}
