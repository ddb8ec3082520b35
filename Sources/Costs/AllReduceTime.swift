// How long the all-reduce of a step takes on a network, from its latency and bandwidth alone.
import Foundation

/// A network between nodes.
package struct Network: Sendable, Equatable {
  /// Seconds from a node to another for a message without content.
  package var latency: Double
  /// Bytes a second out of a node and, at the same time, into it.
  package var bandwidth: Double

  package init(latency: Double, bandwidth: Double) { (self.latency, self.bandwidth) = (latency, bandwidth) }

  /// Ethernet of 10 Gbit/s with TCP.
  package static let usual = Network(latency: 30e-6, bandwidth: 1.25e9)

  /// Open MPI's TCP sends larger messages after asking the receiver (its eager limit), and a connection of Linux that
  /// rested takes about as many bytes at once.
  private static let window = 65_536.0
  /// Open MPI 4.1 exchanges whole payloads below this size, and rings of three ranks are for those below the other.
  private static let (doublingBytes, ringBytes) = (8192, 262_144)

  /// Seconds of MPI_Allreduce over `nodes` nodes of `perNode` ranks each, of the network's part, by the algorithms
  /// that Open MPI 4.1 takes by itself.
  ///
  /// Small payloads go whole in every round (recursive doubling). Others are halved and put together again (recursive
  /// halving and doubling, Rabenseifner 2004): in the first rounds neighbours, who share a node, halve the payload; the
  /// rounds between nodes exchange what is left. Where the number of ranks is no power of two, some hand their payload
  /// to a neighbour first and get the whole in the end; three ranks pass thirds round in a ring.
  package func allReduceSeconds(bytes: Int, nodes: Int, perNode: Int) -> Double {
    guard nodes > 1 else { return 0 }
    let ranks = nodes * perNode
    if ranks == 3, (Self.doublingBytes..<Self.ringBytes).contains(bytes) {
      return 4 * exchange(Double(bytes) / 3, ranks: 1)
    }
    let isWhole = bytes < Self.doublingBytes
    let power = 1 << (Int.bitWidth - 1 - ranks.leadingZeroBitCount)
    var (seconds, part, distance) = (0.0, Double(bytes), 1)
    while distance < power {
      if !isWhole { part /= 2 }
      // All ranks of a node exchange with ranks of another one at once.
      if distance >= perNode { seconds += (isWhole ? 1 : 2) * exchange(part, ranks: min(perNode, ranks)) }
      distance *= 2
    }
    if power < ranks, perNode == 1 {
      let first = isWhole ? exchange(Double(bytes), ranks: 1) : 2 * exchange(Double(bytes) / 2, ranks: 1)
      seconds += first + exchange(Double(bytes), ranks: 1)
    }
    return seconds
  }

  /// Seconds of an exchange of messages in both directions by some ranks of a node at once.
  ///
  /// What does not fit in the first window waits for a round trip; TCP doubles the window with each.
  private func exchange(_ bytes: Double, ranks: Int) -> Double {
    let roundTrips = max(0, log2(bytes / Self.window + 1).rounded(.up) - 1)
    return (1 + 2 * roundTrips) * latency + bytes * Double(ranks) / bandwidth
  }
}
