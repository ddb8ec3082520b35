// How long an example is for the decoder, and where its parts lie.
import Preprocessing

/// One row as the decoder sees it.
package struct ExampleShape: Codable, Equatable {
  package let tokens: Int
  package let visual: Int
  /// Tokens before the first picture: they have no backward.
  package let first: Int
  /// Tokens that rows of the same pictures share, to the end of the last picture; 0 without pictures.
  package let shared: Int
  /// Supervised tokens.
  package let answers: Int
  /// Patches of each picture.
  package let pictures: [Int]
}

extension ExampleShape {
  package init(_ sample: Sample) {
    tokens = sample.inputIDs.count
    visual = sample.visualSpans.reduce(0) { $0 + $1.count }
    first = sample.visualSpans.first?.lowerBound ?? tokens
    shared = sample.visualSpans.last?.upperBound ?? 0
    answers = sample.supervisedTokens
    pictures = sample.grids.map(\.patches)
  }

  /// A row with one picture behind a short system prompt.
  package init(tokens: Int, visual: Int, answers: Int, merge: Int) {
    let first = min(16, tokens - visual - answers)
    self.init(
      tokens: tokens, visual: visual, first: visual > 0 ? first : tokens, shared: visual > 0 ? first + visual : 0,
      answers: answers, pictures: visual > 0 ? [visual * merge * merge] : [])
  }
}
