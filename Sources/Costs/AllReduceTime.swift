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

  /// Open MPI's TCP sends larger messages after asking the receiver (its eager limit).
  private static let eagerBytes = 65_536.0

  /// Seconds of MPI_Allreduce over `nodes` nodes of `perNode` ranks each, of the network's part.
  ///
  /// Open MPI uses recursive halving and doubling for payloads of more than some kilobytes (Rabenseifner 2004): in the
  /// first rounds neighbours, who share a node, halve the payload; the rounds between nodes exchange what is left.
  /// Where the number of ranks is no power of two, some hand their halves to a neighbour first and get
  /// the whole in the end.
  package func allReduceSeconds(bytes: Int, nodes: Int, perNode: Int) -> Double {
    guard nodes > 1 else { return 0 }
    let ranks = nodes * perNode
    let power = 1 << (Int.bitWidth - 1 - ranks.leadingZeroBitCount)
    var (seconds, part, distance) = (0.0, Double(bytes) / 2, 1)
    while distance < power {
      // All ranks of a node exchange with ranks of another one at once.
      if distance >= perNode { seconds += 2 * exchange(part, ranks: min(perNode, ranks)) }
      (part, distance) = (part / 2, distance * 2)
    }
    if power < ranks, perNode == 1 {
      seconds += 2 * exchange(Double(bytes) / 2, ranks: 1) + exchange(Double(bytes), ranks: 1)
    }
    return seconds
  }

  /// Seconds of an exchange of messages in both directions by some ranks of a node at once.
  private func exchange(_ bytes: Double, ranks: Int) -> Double {
    (bytes > Self.eagerBytes ? 3 : 1) * latency + bytes * Double(ranks) / bandwidth
  }
}
