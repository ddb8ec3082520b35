// The scorers of free answers, each as its benchmark defines it.
import Datasets
import Foundation

extension Scorer {
  /// The score of a text against the right answers, from 0 to 1: that of the answer that it is nearest to.
  ///
  /// - `normalizedExactMatch`: `normalize_answer` of SQuAD's evaluation.
  /// - `vqaAccuracy`: with the normalization of VQA v2's evaluation on both sides; of n answers, the mean over the n
  ///   ways of leaving one out of min(1, matches / 3). Fewer than four answers: 1 where any matches.
  /// - `anls`: 1 - distance / longer length, 0 where that is at most a half.
  /// - `finalNumber`: equal as decimal numbers.
  /// - Precondition: at least one answer.
  package func score(_ text: String, against answers: [String]) -> Double {
    precondition(!answers.isEmpty, "nothing to compare with")
    func best(_ score: (String) -> Double) -> Double { answers.lazy.map(score).max() ?? 0 }
    switch self {
    case .exactMatch: return best { isExactMatch(text, $0) ? 1 : 0 }
    case .normalizedExactMatch:
      let own = Self.normalized(text)
      return best { own == Self.normalized($0) ? 1 : 0 }
    case .vqaAccuracy: return Self.vqaAccuracy(text, answers)
    case .anls: return best { Self.similarity(text, $0) }
    case .finalNumber:
      guard let own = Self.finalNumber(text) else { return 0 }
      return best { Self.finalNumber($0) == own ? 1 : 0 }
    }
  }

  /// Lower case without ASCII punctuation and articles, words joined by single spaces.
  static func normalized(_ text: String) -> String {
    let kept = text.lowercased().unicodeScalars.filter { !isPunctuation($0) }
    return words(String(String.UnicodeScalarView(kept))).filter { !articles.contains($0) }.joined(separator: " ")
  }

  private static let articles: Set = ["a", "an", "the"]

  private static func isPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    scalar.isASCII && (0x21...0x7E).contains(scalar.value) && !scalar.properties.isAlphabetic
      && !(0x30...0x39).contains(scalar.value)
  }

  private static func words(_ text: String) -> [String] {
    text.unicodeScalars.split { $0.properties.isWhitespace }.map { String(String.UnicodeScalarView($0)) }
  }

  // MARK: - VQA

  private static func vqaAccuracy(_ text: String, _ answers: [String]) -> Double {
    let own = vqaNormalized(text)
    let matches = answers.count { vqaNormalized($0) == own }
    guard answers.count >= 4 else { return matches > 0 ? 1 : 0 }
    // The others of an answer that matches have one match less.
    func share(_ matches: Int) -> Double { min(1, Double(matches) / 3) }
    let sum = Double(matches) * share(matches - 1) + Double(answers.count - matches) * share(matches)
    return sum / Double(answers.count)
  }

  /// `processPunctuation` and `processDigitArticle` of VQA v2's evaluation.
  static func vqaNormalized(_ text: String) -> String {
    let flat = words(text).joined(separator: " ")
    return words(withoutPunctuation(flat).lowercased())
      .map { numberWords[$0] ?? $0 }
      .filter { !articles.contains($0) }
      .map { contractions[$0] ?? $0 }
      .joined(separator: " ")
  }

  /// A mark of punctuation next to a space anywhere goes, as all do in a text with a comma in a number; others become
  /// spaces. Then a full stop goes unless a digit follows.
  private static func withoutPunctuation(_ text: String) -> String {
    let scalars = Array(text.unicodeScalars)
    func isDigit(_ index: Int) -> Bool {
      scalars.indices.contains(index) && scalars[index].properties.numericType == .decimal
    }
    let hasNumberWithComma = scalars.indices.contains { scalars[$0] == "," && isDigit($0 - 1) && isDigit($0 + 1) }
    let besideSpace = Set(
      scalars.indices.filter { index in
        [index - 1, index + 1].contains { scalars.indices.contains($0) && scalars[$0] == " " }
      }.map { scalars[$0] })
    var kept = String.UnicodeScalarView()
    for scalar in scalars {
      guard vqaPunctuation.contains(scalar) else {
        kept.append(scalar)
        continue
      }
      if !hasNumberWithComma, !besideSpace.contains(scalar) { kept.append(" ") }
    }
    let rest = Array(kept)
    let whole = rest.indices.filter { index in
      rest[index] != "."
        || (rest.indices.contains(index + 1) && rest[index + 1].properties.numericType == .decimal)
    }
    return String(String.UnicodeScalarView(whole.map { rest[$0] }))
  }

  private static let vqaPunctuation = Set(#";/[]"{}()=+\_-><@`,?!"#.unicodeScalars)

  private static let numberWords: [String: String] = {
    let names = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"]
    let digits = names.enumerated().map { ($1, String($0)) }
    return Dictionary(uniqueKeysWithValues: digits + [("none", "0")])
  }()

  /// By what they are without apostrophes, as people type them.
  private static let contractions: [String: String] = Dictionary(
    """
    ain't aren't can't could've couldn't didn't doesn't don't hadn't hasn't haven't he'd he's how'd how'll how's isn't \
    it'd it'll ma'am mightn't might've mustn't must've needn't o'clock oughtn't shan't should've shouldn't somebody's \
    that's there'd there're there's they'd they'll they're they've wasn't we've weren't what'll what're what's what've \
    when's where'd where's where've who'd who'll who's who've why'll why're why's won't would've wouldn't y'all you'd \
    you'll you're you've i've i'm
    """.split(separator: " ").map { ($0.filter { $0 != "'" }, String($0)) }, uniquingKeysWith: { first, _ in first })

  // MARK: - ANLS

  private static func similarity(_ text: String, _ answer: String) -> Double {
    let (a, b) = (Array(plain(text).unicodeScalars), Array(plain(answer).unicodeScalars))
    let longer = max(a.count, b.count)
    guard longer > 0 else { return 1 }
    // At least the difference of their lengths apart.
    guard 2 * abs(a.count - b.count) < longer else { return 0 }
    let similarity = 1 - Double(editDistance(a, b)) / Double(longer)
    return similarity > 0.5 ? similarity : 0
  }

  private static func plain(_ text: String) -> String { words(text.lowercased()).joined(separator: " ") }

  private static func editDistance(_ a: [Unicode.Scalar], _ b: [Unicode.Scalar]) -> Int {
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let substituted = diagonal + (x == y ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(substituted, diagonal + 1, row[j] + 1)
      }
    }
    return row[b.count]
  }

  // MARK: - Numbers

  /// The number behind the last `####`, or else the last one of the text, without commas and needless zeros.
  static func finalNumber(_ text: String) -> String? {
    let bytes = Array(text.utf8)
    let mark = Array("####".utf8)
    let marked = bytes.count < 4 ? nil : (0...bytes.count - 4).last { bytes[$0..<$0 + 4].elementsEqual(mark) }
    if let marked, let number = numbers(bytes[(marked + 4)...]).first { return number }
    return numbers(bytes[...]).last
  }

  /// Decimal numbers in their order; commas stand between digits alone.
  private static func numbers(_ bytes: ArraySlice<UInt8>) -> [String] {
    func isDigit(_ index: Int) -> Bool { index < bytes.endIndex && (0x30...0x39).contains(bytes[index]) }
    var found: [String] = []
    var index = bytes.startIndex
    while index < bytes.endIndex {
      guard isDigit(index) || (bytes[index] == UInt8(ascii: ".") && isDigit(index + 1)) else {
        index += 1
        continue
      }
      let isNegative = index > bytes.startIndex && isMinus(before: index, bytes)
      var (whole, fraction): ([UInt8], [UInt8]) = ([], [])
      while isDigit(index) || (!whole.isEmpty && bytes[index...].first == UInt8(ascii: ",") && isDigit(index + 1)) {
        if isDigit(index) { whole.append(bytes[index]) }
        index += 1
      }
      if bytes[index...].first == UInt8(ascii: "."), isDigit(index + 1) {
        index += 1
        while isDigit(index) {
          fraction.append(bytes[index])
          index += 1
        }
      }
      found.append(canonical(whole, fraction, isNegative: isNegative))
    }
    return found
  }

  /// A minus belongs to a number unless something is subtracted: `5-3` has none, `$-3` and `-$3` have one.
  private static func isMinus(before index: Int, _ bytes: ArraySlice<UInt8>) -> Bool {
    var place = index - 1
    if bytes[place] == UInt8(ascii: "$"), place > bytes.startIndex { place -= 1 }
    guard bytes[place] == UInt8(ascii: "-") else { return false }
    guard place > bytes.startIndex else { return true }
    let before = bytes[place - 1]
    return !(0x30...0x39).contains(before) && before != UInt8(ascii: ")")
  }

  private static func canonical(_ whole: [UInt8], _ fraction: [UInt8], isNegative: Bool) -> String {
    let zero = UInt8(ascii: "0")
    let whole = whole.drop { $0 == zero }
    let end = fraction.lastIndex { $0 != zero }.map { $0 + 1 } ?? 0
    let text =
      (whole.isEmpty ? "0" : String(decoding: whole, as: UTF8.self))
      + (end == 0 ? "" : "." + String(decoding: fraction[..<end], as: UTF8.self))
    return isNegative && text != "0" ? "-" + text : text
  }
}
