// Added tokens (such as <|im_start|>), found in the text before anything else is done to it.

/// A set of added tokens and the search for them: leftmost, and of several at one place the longest.
struct AddedTokens: Sendable {
  struct Token: Sendable {
    let content: [UInt8]
    let id: Int32
  }

  enum Segment {
    case text(Range<Int>)
    case token(Int32)
  }

  /// Tokens by their first byte, longest first.
  private var byFirstByte = [[Token]](repeating: [], count: 256)
  private(set) var isEmpty = true

  init(_ tokens: [Token]) {
    for token in tokens.sorted(by: { $0.content.count > $1.content.count }) {
      guard let first = token.content.first else { continue }
      byFirstByte[Int(first)].append(token)
      isEmpty = false
    }
  }

  /// Calls `body` for the tokens of `bytes[range]` and the texts between them, in order.
  func split(_ bytes: [UInt8], _ range: Range<Int>, _ body: (Segment) -> Void) {
    var start = range.lowerBound
    var index = start
    while !isEmpty, index < range.upperBound {
      guard let token = match(bytes, index..<range.upperBound) else {
        index += 1
        continue
      }
      if start < index { body(.text(start..<index)) }
      body(.token(token.id))
      index += token.content.count
      start = index
    }
    if start < range.upperBound { body(.text(start..<range.upperBound)) }
  }

  /// The longest token at the beginning of `bytes[range]`.
  private func match(_ bytes: [UInt8], _ range: Range<Int>) -> Token? {
    byFirstByte[Int(bytes[range.lowerBound])].first { bytes[range].starts(with: $0.content) }
  }
}
