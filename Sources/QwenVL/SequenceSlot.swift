// Where the keys of a sequence lie: those that it shares with others, then its own.

/// The new tokens of one sequence in a pass of the decoder, and the keys that they see.
///
/// Keys are counted as they lie in memory: those of the past first, or wherever in a `KeyValueCache` the sequence has
/// its place.
package struct SequenceSlot: Sendable, Equatable {
  /// Keys of a prefix that the sequence continues; all of its tokens see all of them.
  package var shared: Range<Int>
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

  /// A prefix, then its branches, each followed by reserved capacity; a prefix without branches has the capacity
  /// itself.
  /// - Parameters:
  ///   - branches: how many tokens each has.
  ///   - known: how many tokens at the start of the prefix are not new.
  ///   - firstKey: where in a cache the prefix begins.
  ///   - reserved: capacity after each branch for tokens to come, in keys.
  package static func packed(
    prefix: Int, branches: [Int] = [], known: Int = 0, from firstKey: Int = 0, reserving reserved: Int = 0
  ) -> [SequenceSlot] {
    let shared = firstKey..<firstKey + prefix
    var end = shared.upperBound
    return [SequenceSlot(shared: firstKey..<firstKey, own: shared, newTokens: prefix - known)]
      + branches.map { count in
        defer { end += count + reserved }
        return SequenceSlot(shared: shared, own: end..<end + count, newTokens: count)
      }
  }
}
