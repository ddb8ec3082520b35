// How long an example is for the decoder, and where its parts lie.
import Preprocessing

/// One example as the decoder sees it.
package struct ExampleShape: Codable, Equatable {
  package let tokens: Int
  package let visual: Int
  /// Tokens before the first image: they have no backward.
  package let first: Int
  /// Tokens that examples of the same images share, to the end of the last image; 0 without images.
  package let shared: Int
  /// Supervised tokens.
  package let answers: Int
  /// Patches of each image.
  package let images: [Int]
}

extension ExampleShape {
  package init(_ sample: Sample) {
    tokens = sample.inputIDs.count
    visual = sample.visualSpans.reduce(0) { $0 + $1.count }
    first = sample.visualSpans.first?.lowerBound ?? tokens
    shared = sample.visualSpans.last?.upperBound ?? 0
    answers = sample.supervisedTokens
    images = sample.grids.map(\.patches)
  }

  /// An example with one image after a short system prompt.
  package init(tokens: Int, visual: Int, answers: Int, merge: Int) {
    let first = min(16, tokens - visual - answers)
    self.init(
      tokens: tokens, visual: visual, first: visual > 0 ? first : tokens, shared: visual > 0 ? first + visual : 0,
      answers: answers, images: visual > 0 ? [visual * merge * merge] : [])
  }
}
