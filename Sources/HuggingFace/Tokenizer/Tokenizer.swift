// Added tokens, form C, words, byte-pair encoding, as in Qwen2, Qwen3.5 and SmolLM2: the ids of the `tokenizers`
// library.

/// Text to token ids and back.
package struct Tokenizer: Sendable {
  let vocabulary: Vocabulary
  /// Ids of the added tokens by their text.
  let addedIDs: [Piece: Int32]
  /// Tokens looked for in the text as it is.
  let rawTokens: AddedTokens
  /// Tokens looked for in the normalised text.
  let normalizedTokens: AddedTokens
  /// Nil where texts stay as they are.
  let normalization: CanonicalComposition?
  let words: WordScanner.Rule
  /// Bytes of the longest token, added ones included.
  let longestToken: Int
  /// What of the folder was left out, a line each.
  package let notices: [String]

  /// One more than the highest id.
  package var vocabularySize: Int { vocabulary.pieces.count }

  /// Token ids of a text; added tokens such as `<|im_end|>` in it are recognised, nothing is put before or after.
  package func encode(_ text: String) -> [Int32] {
    var ids: [Int32] = []
    var encoder = BytePairEncoder(vocabulary)
    let bytes = Array(text.utf8)
    rawTokens.split(bytes, bytes.indices) { segment in
      switch segment {
      case .token(let id): ids.append(id)
      case .text(let range):
        guard let normal = normalization?.normalized(bytes, range) else {
          return encodeNormalized(bytes, range, &encoder, &ids)
        }
        encodeNormalized(normal, normal.indices, &encoder, &ids)
      }
    }
    return ids
  }

  /// A number of tokens that a text surely has at least, in linear time: its added tokens, and the rest as if it
  /// were all of the longest token.
  ///
  /// Form C never makes ASCII shorter, and all else at most by a factor of four (U+1FBE U+0308 U+0301, seven bytes,
  /// become the two of U+0390). Bytes without a piece do not count.
  /// - Parameter isWhole: whether these are the text's bytes, and not some of them, in which no token is looked for.
  package func fewestTokens(of bytes: [UInt8], isWhole: Bool) -> Int {
    var (tokens, ascii, others) = (0, 0, 0)
    func count(_ range: Range<Int>) {
      for byte in bytes[range] where vocabulary.byteIDs[Int(byte)] >= 0 {
        if byte < 0x80 { ascii += 1 } else { others += 1 }
      }
    }
    if isWhole {
      rawTokens.split(bytes, bytes.indices) { segment in
        switch segment {
        case .token: tokens += 1
        case .text(let range): count(range)
        }
      }
    } else {
      count(bytes.indices)
    }
    return tokens + (ascii + (normalization == nil ? others : others / 4)) / longestToken
  }

  private func encodeNormalized(
    _ bytes: [UInt8], _ range: Range<Int>, _ encoder: inout BytePairEncoder, _ ids: inout [Int32]
  ) {
    normalizedTokens.split(bytes, range) { segment in
      switch segment {
      case .token(let id): ids.append(id)
      case .text(let range):
        var scanner = WordScanner(bytes, range, words)
        while let word = scanner.next() { encoder.encode(bytes, word, into: &ids) }
      }
    }
  }

  /// The text of token ids, added tokens included; bytes that are not UTF-8 become U+FFFD, ids without a token nothing.
  package func decode(_ ids: [Int32]) -> String {
    String(decoding: ids.flatMap { bytes(of: $0) }, as: UTF8.self)
  }

  /// The bytes of one token, which may be part of a scalar; empty for an id without a token.
  package func bytes(of id: Int32) -> [UInt8] {
    guard vocabulary.pieces.indices.contains(Int(id)) else { return [] }
    return vocabulary.pieces[Int(id)] ?? []
  }

  /// The id of the token with exactly this text (`<|im_end|>`, ` the`), an added one first; nil if there is none.
  package func id(of token: String) -> Int32? {
    let piece = Piece(bytes: Array(token.utf8))
    return addedIDs[piece] ?? vocabulary.ids[piece]
  }

  /// One token for display on a line: control characters and bytes that are not UTF-8 are escaped.
  package func text(of id: Int32) -> String {
    let bytes = bytes(of: id)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      return bytes.map { "\\x" + String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
    return text.unicodeScalars.map { scalar in
      switch scalar {
      case "\n": "\\n"
      case "\r": "\\r"
      case "\t": "\\t"
      default:
        scalar.properties.generalCategory == .control
          ? "\\u{\(String(scalar.value, radix: 16))}" : String(Character(scalar))
      }
    }.joined()
  }
}
