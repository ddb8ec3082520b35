// Keys that had another name in an earlier version: they are still read, with a notice.

extension Tree {
  /// Old and new paths.
  private static let renamed = [
    (old: ["logging", "patience_seconds"], new: ["logging", "stall_timeout_seconds"])
  ]

  /// Puts the values of old keys under their new names.
  /// - Parameter notice: takes a line for each of them.
  /// - Throws: `RunFileError` for a key that is given under both names.
  mutating func renameKeys(notice: (String) -> Void) throws(RunFileError) {
    for (old, new) in Self.renamed {
      guard let value = remove(old[...]) else { continue }
      let place = value.place
      guard !gives(new) else {
        throw .conflict(
          place: place, keys: [dotted(old), dotted(new)], problem: "two names of one key; keep the latter")
      }
      _ = set(new[...], to: value)
      notice("\(place): \(dotted(old)) is now called \(dotted(new)); the old name is still read")
    }
  }

  /// Takes a key out.
  /// - Returns: its value, nil where it is not there.
  private mutating func remove(_ path: ArraySlice<String>) -> Tree? {
    guard let key = path.first, case .mapping(var entries) = content,
      let index = entries.firstIndex(where: { $0.key == key })
    else { return nil }
    let removed = path.count == 1 ? entries.remove(at: index).value : entries[index].value.remove(path.dropFirst())
    content = .mapping(entries)
    return removed
  }
}
