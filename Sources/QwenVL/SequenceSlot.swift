// Where the keys of a sequence lie: those that it shares with others, then its own.

/// The new tokens of one sequence in a pass of the decoder, and the keys that they see.
///
/// Keys are counted as they lie in memory: those of the past first, or wherever in a `KeyValueCache` the sequence has
/// its place.
package struct SequenceSlot: Sendable, Equatable {
  /// Keys of what the sequence continues, in the order of its tokens; all of its own tokens see all of them.
  package var shared: [Range<Int>]
  /// Keys of the sequence itself: those of earlier passes, then those of its new tokens.
  package var own: Range<Int>
  /// How many tokens are new.
  package var newTokens: Int

  /// The keys of the new tokens.
  var newKeys: Range<Int> { own.upperBound - newTokens..<own.upperBound }

  /// The slot of the sequence's next token, whose key follows those that there are.
  package var next: SequenceSlot {
    SequenceSlot(shared: shared, own: own.lowerBound..<own.upperBound + 1, newTokens: 1)
  }

  /// Some tokens of a pass, and which slot before them they continue; nil: they begin a sequence.
  package typealias Segment = (parent: Int?, tokens: Int)

  /// Segments one after the other. Each that no other continues is followed by reserved capacity.
  /// - Parameters:
  ///   - known: how many tokens at the start of the first segment are not new.
  ///   - firstKey: where in a cache the first segment begins.
  ///   - reserved: capacity for tokens to come, in keys.
  package static func tree(
    _ segments: [Segment], known: Int = 0, from firstKey: Int = 0, reserving reserved: Int = 0
  ) -> [SequenceSlot] {
    let parents = Set(segments.compactMap(\.parent))
    var slots: [SequenceSlot] = []
    var end = firstKey
    for (index, segment) in segments.enumerated() {
      let shared = segment.parent.map { slots[$0].shared + [slots[$0].own] } ?? []
      slots.append(
        SequenceSlot(
          shared: shared.filter { !$0.isEmpty }, own: end..<end + segment.tokens,
          newTokens: segment.tokens - (index == 0 ? known : 0)))
      end += segment.tokens + (parents.contains(index) ? 0 : reserved)
    }
    return slots
  }

  /// A prefix, then its branches; a prefix without branches has the reserved capacity itself.
  /// - Parameter branches: how many tokens each has.
  package static func packed(
    prefix: Int, branches: [Int] = [], known: Int = 0, from firstKey: Int = 0, reserving reserved: Int = 0
  ) -> [SequenceSlot] {
    tree(
      [(nil, prefix)] + branches.map { (0, $0) }, known: known, from: firstKey, reserving: reserved)
  }
}
