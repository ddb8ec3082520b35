// Where the keys of a sequence lie: what it shares with others, then its own.

/// The new rows of one sequence in a pass of the decoder, and the keys that they see.
package struct KeyRun: Sendable, Equatable {
  /// Keys of a prefix that the sequence continues; all of its rows see all of them.
  package var shared: Range<Int>
  /// Keys of the sequence itself: those of earlier passes, then those of its new rows.
  package var own: Range<Int>
  /// How many rows are new.
  package var rows: Int

  /// The keys of the new rows.
  var newKeys: Range<Int> { own.upperBound - rows..<own.upperBound }

  /// The run of the sequence's next row, whose key lies behind those that there are.
  package var next: KeyRun { KeyRun(shared: shared, own: own.lowerBound..<own.upperBound + 1, rows: 1) }

  /// A prefix, then its branches, each with `room` keys behind it for rows to come; a prefix without branches has the
  /// room itself.
  /// - Parameters:
  ///   - first: the first key.
  ///   - earlier: keys of the prefix whose rows are not new.
  static func packed(
    prefix: Int, branches: [Range<Int>], from first: Int = 0, earlier: Int = 0, room: Int = 0
  ) -> [KeyRun] {
    let shared = first..<first + earlier + prefix
    var end = shared.upperBound
    return [KeyRun(shared: first..<first, own: shared, rows: prefix)]
      + branches.map { branch in
        defer { end += branch.count + room }
        return KeyRun(shared: shared, own: end..<end + branch.count, rows: branch.count)
      }
  }
}
