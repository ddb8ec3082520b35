// PEFT's rank_pattern and alpha_pattern.

/// Numbers of modules by a name or the end of one, or by a regular expression; of several that match the first counts.
package struct PEFTPatterns<Number: Sendable & Equatable>: Sendable, Equatable {
  /// In the order in which they are tried.
  package private(set) var entries: [(key: String, value: Number)] = []
  private var patterns: [PEFTPattern] = []

  package init() {}

  /// - Throws: `PEFTPattern.Problem` for a key that is not read.
  package mutating func append(_ key: String, _ value: Number) throws(PEFTPattern.Problem) {
    patterns.append(try PEFTPattern(modules: key))
    entries.append((key, value))
  }

  /// The number of a module and the place of its key among the entries; nil where no key matches.
  /// - Parameter effort: that of all names so far.
  /// - Throws: `PEFTPattern.Problem` for a pattern that takes too long.
  package func first(
    matching name: String, _ effort: inout PEFTEffort
  ) throws(PEFTPattern.Problem) -> (place: Int, value: Number)? {
    for (place, pattern) in patterns.enumerated() where try pattern.matches(name, &effort) {
      return (place, entries[place].value)
    }
    return nil
  }

  package static func == (a: Self, b: Self) -> Bool {
    a.entries.elementsEqual(b.entries) { $0.key == $1.key && $0.value == $1.value }
  }
}
