// The pre-tokenizers of Qwen2, Qwen3.5 and SmolLM2: cut UTF-8 into words exactly as regular expressions do under
// Oniguruma.
import Files

/// Walks through a text word by word; every byte belongs to exactly one word.
struct WordScanner {
  enum Rule {
    /// Its `pattern`: words of letters.
    case qwen2
    /// Its `pattern`: words of letters and marks.
    case qwen3_5
    /// Every number alone, and what lies between by GPT-2's pattern:
    /// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
    case digitsGPT2

    /// The regular expression of a Qwen tokenizer, nil for others; its alternatives are tried in this order.
    var pattern: String? {
      switch self {
      case .qwen2:
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"#
          + #"|\s+(?!\S)|\s+"#
      case .qwen3_5:
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"#
          + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#
      case .digitsGPT2: nil
      }
    }

    /// The Qwen tokenizer whose pattern this is.
    init?(pattern: String) {
      guard let rule = [Rule.qwen2, .qwen3_5].first(where: { $0.pattern?.hasSameBytes(as: pattern) == true }) else {
        return nil
      }
      self = rule
    }
  }

  enum Kind {
    case letter, mark, number, newline, space, other
  }

  private let rule: Rule
  private let bytes: [UInt8]
  private var position: Int
  private let end: Int

  /// Scans `bytes[range]`, which must be whole scalars of UTF-8.
  init(_ bytes: [UInt8], _ range: Range<Int>, _ rule: Rule) {
    self.rule = rule
    self.bytes = bytes
    position = range.lowerBound
    end = range.upperBound
  }

  /// The next word's bytes, nil at the end.
  mutating func next() -> Range<Int>? {
    guard position < end else { return nil }
    let start = position
    switch rule {
    case .qwen2, .qwen3_5: position = contraction(start) ?? wordEnd(start)
    case .digitsGPT2: position = lowercaseContraction(start) ?? wordEndBetweenDigits(start)
    }
    return start..<position
  }

  /// `(?i:'s|'t|'re|'ve|'m|'ll|'d)`; U+017F folds to s, no other scalar folds to one of these letters.
  private func contraction(_ start: Int) -> Int? {
    guard bytes[start] == UInt8(ascii: "'"), start + 1 < end else { return nil }
    let second = start + 2 < end ? bytes[start + 2] : 0
    switch (bytes[start + 1] | 0x20, second | 0x20) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _), (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default:
      return bytes[start + 1] == 0xC5 && second == 0xBF ? start + 3 : nil
    }
  }

  private func wordEnd(_ start: Int) -> Int {
    let (kind, second) = scalar(start)
    let secondKind = second < end ? scalar(second).kind : nil
    switch kind {
    // [^\r\n\p{L}\p{N}]?\p{L}+, where a mark is a letter or other as the rule has it.
    case .letter, .mark: return run(second, of: .letter)
    case .space where secondKind == .letter, .other where secondKind == .letter: return run(second, of: .letter)
    // \p{N}
    case .number: return second
    //  ?[^\s\p{L}\p{N}]+[\r\n]*
    case .other: return run(run(second, of: .other), of: .newline)
    case .space where bytes[start] == 0x20 && secondKind == .other:
      return run(run(second, of: .other), of: .newline)
    case .space, .newline: return spaceEnd(start)
    }
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`: up to the run's last line break; without one the whole run at the end of the text;
  /// before a word all but the last space, which is left to that word.
  private func spaceEnd(_ start: Int) -> Int {
    var cursor = start
    var lastStart = start
    var afterBreak: Int?
    while cursor < end {
      let (kind, next) = scalar(cursor)
      guard kind == .space || kind == .newline else { break }
      if kind == .newline { afterBreak = next }
      lastStart = cursor
      cursor = next
    }
    if let afterBreak { return afterBreak }
    return cursor == end || lastStart == start ? cursor : lastStart
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`.
  private func lowercaseContraction(_ start: Int) -> Int? {
    contraction(start).flatMap { stop in
      bytes[start + 1..<stop].allSatisfy { (0x61...0x7A).contains($0) } ? stop : nil
    }
  }

  /// The rest of `digitsGPT2`. A number ends the text that GPT-2's pattern sees: spaces before it stay together.
  private func wordEndBetweenDigits(_ start: Int) -> Int {
    let (kind, second) = scalar(start)
    switch kind {
    case .number: return second
    case .letter, .mark, .other: return run(second, of: kind)
    case .space, .newline: break
    }
    var (lastStart, cursor) = (start, start)
    var following: Kind?
    while cursor < end {
      let (found, next) = scalar(cursor)
      following = found
      guard found == .space || found == .newline else { break }
      (lastStart, cursor, following) = (cursor, next, nil)
    }
    guard let following, following != .number else { return cursor }
    if lastStart > start { return lastStart }
    return bytes[start] == 0x20 ? run(cursor, of: following) : cursor
  }

  private func run(_ start: Int, of kind: Kind) -> Int {
    var cursor = start
    while cursor < end {
      let (found, next) = scalar(cursor)
      guard found == kind else { break }
      cursor = next
    }
    return cursor
  }

  /// The kind of the scalar at `index` and the index after it.
  private func scalar(_ index: Int) -> (kind: Kind, next: Int) {
    let byte = bytes[index]
    if byte < 0x80 { return (Self.kind(ascii: byte), index + 1) }
    let (scalar, next) = UTF8Reader.scalar(bytes, index)
    let kind = Self.kind(scalar)
    guard kind == .mark else { return (kind, next) }
    return (rule == .qwen3_5 ? .letter : .other, next)
  }

  static func kind(ascii byte: UInt8) -> Kind {
    switch byte {
    case 0x61...0x7A, 0x41...0x5A: .letter
    case 0x30...0x39: .number
    case 0x0A, 0x0D: .newline
    case 0x20, 0x09, 0x0B, 0x0C: .space
    default: .other
    }
  }

  /// Categories as of Unicode 16, which the `tokenizers` library's Oniguruma knows: younger scalars are `other`.
  static func kind(_ scalar: Unicode.Scalar) -> Kind {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      return (properties.age?.major ?? .max) <= 16 ? .letter : .other
    case .decimalNumber, .letterNumber, .otherNumber:
      return (properties.age?.major ?? .max) <= 16 ? .number : .other
    case .nonspacingMark, .spacingMark, .enclosingMark:
      return (properties.age?.major ?? .max) <= 16 ? .mark : .other
    default:
      return properties.isWhitespace ? .space : .other
    }
  }
}

/// Decoding of UTF-8 that is known to be valid.
enum UTF8Reader {
  /// The scalar at `index` and the index after it.
  static func scalar(_ bytes: [UInt8], _ index: Int) -> (Unicode.Scalar, next: Int) {
    func tail(_ offset: Int) -> UInt32 { UInt32(bytes[index + offset] & 0x3F) }
    let lead = UInt32(bytes[index])
    let (code, length): (UInt32, Int) =
      switch lead {
      case 0..<0x80: (lead, 1)
      case 0x80..<0xE0: ((lead & 0x1F) << 6 | tail(1), 2)
      case 0xE0..<0xF0: ((lead & 0x0F) << 12 | tail(1) << 6 | tail(2), 3)
      default: ((lead & 0x07) << 18 | tail(1) << 12 | tail(2) << 6 | tail(3), 4)
      }
    return (Unicode.Scalar(code) ?? "\u{FFFD}", index + length)
  }
}
