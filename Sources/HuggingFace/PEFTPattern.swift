// Regular expressions of Python's `re`, as PEFT's configurations name modules with them, on names of ASCII.

/// A pattern as Python's `re.fullmatch` reads it.
///
/// Read are literals, `.`, classes, `\d \w \s` and their opposites, `^ $ \A \Z \b \B`, groups, alternatives, lookahead,
/// lookbehind of one width, and repetitions, lazy or not. Whatever else Python has (flags, references to groups, atomic
/// groups, possessive repetitions) and whatever it calls an error is refused. Other engines differ from Python in `\b`,
/// classes and `{,n}`, so none is used.
package struct PEFTPattern: Sendable, Equatable {
  /// Why a pattern is refused, as the rest of a sentence that begins with it.
  package struct Problem: Error, Equatable { package let text: String }

  indirect enum Node: Sendable, Equatable {
    /// One of these characters: bit c for the character c.
    case character(UInt128)
    case sequence([Node])
    case alternatives([Node])
    case repetition(Node, least: Int, most: Int?)
    case lookahead(Node, negated: Bool)
    case lookbehind(Node, width: Int, negated: Bool)
    case start, end
    case wordBoundary(negated: Bool)
  }

  private let root: Node

  /// - Throws: `Problem` for what is not read.
  init(_ text: String) throws(Problem) {
    var parser = PEFTPatternParser(text)
    root = try parser.pattern()
  }

  /// A key of `rank_pattern` or `alpha_pattern`, which matches a name or its end after a dot.
  /// - Throws: `Problem` for what is not read.
  package init(modules key: String) throws(Problem) { try self.init("(?:|.*\\.)(?:\(key))") }

  /// Whether the pattern matches all of a name.
  /// - Parameter effort: grows by the work that it takes.
  /// - Throws: `Problem` for a pattern that takes too long, for this name or for all so far.
  package func matches(_ name: String, _ effort: inout PEFTEffort) throws(Problem) -> Bool {
    let text = Array(name.utf8)
    precondition(text.count < 127 && text.allSatisfy { $0 < 128 })
    var matcher = Matcher(text: text)
    let ends = matcher.ends(root, 1)
    effort.steps += matcher.steps
    guard matcher.steps < Matcher.limit, effort.steps < PEFTEffort.limit else { throw Problem(text: "is too complex") }
    return ends & 1 << text.count != 0
  }
}

/// The work of matching an adapter's patterns with all of a model's modules: a bound for each name alone would allow it
/// as many times as there are modules.
package struct PEFTEffort: Sendable {
  static let limit = 10_000_000
  var steps = 0
  package init() {}
}

/// Finds where a node can end. A set of positions is a number: bit p for the position before the character p.
private struct Matcher {
  static let limit = 1_000_000

  let text: [UInt8]
  var steps = 0

  /// Every position at which `node` can end if it begins at one of `starts`; order of preference does not matter,
  /// because no group is read.
  mutating func ends(_ node: PEFTPattern.Node, _ starts: UInt128) -> UInt128 {
    steps += 1
    guard starts != 0, steps < Self.limit else { return 0 }
    switch node {
    case .character(let set):
      let found = filter(starts) { matcher, place in
        place < matcher.text.count && set & 1 << UInt128(matcher.text[place]) != 0
      }
      return found << 1
    case .sequence(let nodes):
      var places = starts
      for node in nodes where places != 0 { places = ends(node, places) }
      return places
    case .alternatives(let nodes):
      var places: UInt128 = 0
      for node in nodes { places |= ends(node, starts) }
      return places
    case .repetition(let body, let least, let most):
      return repeated(body, starts, least: least, most: most)
    case .lookahead(let body, let negated):
      return filter(starts) { matcher, place in (matcher.ends(body, 1 << place) != 0) != negated }
    case .lookbehind(let body, let width, let negated):
      return filter(starts) { matcher, place in
        let found = place >= width && matcher.ends(body, 1 << (place - width)) & 1 << place != 0
        return found != negated
      }
    case .start: return starts & 1
    case .end: return starts & 1 << text.count
    case .wordBoundary(let negated):
      return filter(starts) { matcher, place in
        (matcher.isWord(place - 1) != matcher.isWord(place)) != negated
      }
    }
  }

  private mutating func repeated(
    _ body: PEFTPattern.Node, _ starts: UInt128, least: Int, most: Int?
  ) -> UInt128 {
    var places = starts
    var found = least == 0 ? starts : 0
    var count = 0
    while places != 0, count < most ?? .max {
      places = ends(body, places)
      count += 1
      guard count >= least else { continue }
      // What was reached before has been continued from before.
      if places & ~found == 0 { break }
      found |= places
    }
    return found
  }

  private mutating func filter(_ places: UInt128, _ keeps: (inout Matcher, Int) -> Bool) -> UInt128 {
    var kept: UInt128 = 0
    for place in 0...text.count where places & 1 << place != 0 && keeps(&self, place) { kept |= 1 << place }
    return kept
  }

  private func isWord(_ place: Int) -> Bool {
    text.indices.contains(place) && PEFTPatternParser.word & 1 << UInt128(text[place]) != 0
  }
}
