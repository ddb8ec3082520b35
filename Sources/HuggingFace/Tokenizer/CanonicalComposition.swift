// Unicode normalisation form C as of Unicode 9, the version of the `tokenizers` library's normaliser.
import Foundation

/// Form C of UTF-8 text.
///
/// Written out because Foundation's `precomposedStringWithCanonicalMapping` knows younger scalars and, in Swift 6.3,
/// composes wrongly beyond the basic plane (U+10041 U+0301 becomes U+00C1). Its decompositions of single scalars are
/// right; scalars younger than Unicode 9 are inert.
struct CanonicalComposition: Sendable {
  private static let youngestVersion = 9
  /// Blocks in which all canonical decompositions except those of Hangul syllables lie.
  private static let blocks: [ClosedRange<UInt32>] = [
    0xC0...0x30FF, 0xF900...0xFB4F, 0x11000...0x115FF, 0x1D100...0x1D1FF, 0x2F800...0x2FA1F,
  ]

  private var decompositions: [Unicode.Scalar: [Unicode.Scalar]] = [:]
  private var compositions: [UInt64: Unicode.Scalar] = [:]

  init() {
    var composites: [(Unicode.Scalar, [Unicode.Scalar])] = []
    for scalar in Self.blocks.joined().compactMap(Unicode.Scalar.init) where Self.isKnown(scalar) {
      let text = String(Character(scalar))
      let decomposition = Array(text.decomposedStringWithCanonicalMapping.unicodeScalars)
      guard decomposition != [scalar] else { continue }
      decompositions[scalar] = decomposition
      // What form C itself takes apart (singletons, exclusions) never arises by composition.
      if Array(text.precomposedStringWithCanonicalMapping.unicodeScalars) == [scalar] {
        composites.append((scalar, decomposition))
      }
    }
    // Short ones first: a longer one begins with a shorter one, and what it is composed of is that and its last scalar.
    for (scalar, decomposition) in composites.sorted(by: { $0.1.count < $1.1.count }) {
      var first = decomposition[0]
      for second in decomposition[1..<decomposition.count - 1] { first = compose(first, second) ?? first }
      compositions[Self.pairKey(first, decomposition[decomposition.count - 1])] = scalar
    }
  }

  /// `bytes[range]` in form C; nil if it holds no scalar above U+02FF, since then it is in that form already.
  func normalized(_ bytes: [UInt8], _ range: Range<Int>) -> [UInt8]? {
    guard bytes[range].contains(where: { $0 >= 0xCC }) else { return nil }
    var scalars: [(scalar: Unicode.Scalar, combiningClass: UInt8)] = []
    scalars.reserveCapacity(range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      let (scalar, next) = UTF8Reader.scalar(bytes, index)
      index = next
      decompose(scalar) { scalars.append(($0, Self.combiningClass($0))) }
    }
    Self.order(&scalars)
    return compose(scalars)
  }

  private func decompose(_ scalar: Unicode.Scalar, _ body: (Unicode.Scalar) -> Void) {
    if scalar.value < 0xC0 {
      body(scalar)
    } else if let syllable = Hangul.decompose(scalar) {
      syllable.forEach(body)
    } else if let decomposition = decompositions[scalar] {
      decomposition.forEach(body)
    } else {
      body(scalar)
    }
  }

  /// Sorts each run of non-starters by combining class; the sort is stable.
  private static func order(_ scalars: inout [(scalar: Unicode.Scalar, combiningClass: UInt8)]) {
    var start = 0
    while start < scalars.count {
      guard scalars[start].combiningClass != 0 else {
        start += 1
        continue
      }
      let end = scalars[start...].firstIndex { $0.combiningClass == 0 } ?? scalars.count
      let isOrdered = (start + 1..<end).allSatisfy { scalars[$0 - 1].combiningClass <= scalars[$0].combiningClass }
      // The standard library's sort is stable in practice but not by contract: the index breaks ties.
      if !isOrdered {
        let sorted = scalars[start..<end].enumerated().sorted {
          ($0.element.combiningClass, $0.offset) < ($1.element.combiningClass, $1.offset)
        }
        scalars.replaceSubrange(start..<end, with: sorted.map(\.element))
      }
      start = end
    }
  }

  /// Composes each scalar with the last starter unless one of at least its class stands between them.
  private func compose(_ scalars: [(scalar: Unicode.Scalar, combiningClass: UInt8)]) -> [UInt8] {
    var result: [Unicode.Scalar] = []
    result.reserveCapacity(scalars.count)
    var starter: Int?
    var lastClass: UInt8 = 0
    for (scalar, combiningClass) in scalars {
      if let starter, starter == result.count - 1 || (lastClass < combiningClass && lastClass != 0),
        let composed = compose(result[starter], scalar)
      {
        result[starter] = composed
        continue
      }
      if combiningClass == 0 { starter = result.count }
      lastClass = combiningClass
      result.append(scalar)
    }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(result.count * 3)
    for scalar in result { bytes.append(contentsOf: UTF8.encode(scalar) ?? UTF8.EncodedScalar()) }
    return bytes
  }

  private func compose(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    guard second.value >= 0x300 else { return nil }
    return Hangul.compose(first, second) ?? compositions[Self.pairKey(first, second)]
  }

  private static func pairKey(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> UInt64 {
    UInt64(first.value) << 32 | UInt64(second.value)
  }

  private static func isKnown(_ scalar: Unicode.Scalar) -> Bool {
    (scalar.properties.age?.major ?? .max) <= youngestVersion
  }

  private static func combiningClass(_ scalar: Unicode.Scalar) -> UInt8 {
    guard scalar.value >= 0x300, isKnown(scalar) else { return 0 }
    return scalar.properties.canonicalCombiningClass.rawValue
  }
}

/// Hangul syllables, composed by formula (Unicode, section 3.12).
private enum Hangul {
  private static let syllables: UInt32 = 0xAC00
  private static let leading: UInt32 = 0x1100
  private static let vowel: UInt32 = 0x1161
  private static let trailing: UInt32 = 0x11A7
  private static let vowels: UInt32 = 21
  private static let trailings: UInt32 = 28

  static func decompose(_ scalar: Unicode.Scalar) -> [Unicode.Scalar]? {
    guard (0xAC00...0xD7A3).contains(scalar.value) else { return nil }
    let index = scalar.value - syllables
    let tail = index % trailings
    let parts = [leading + index / (vowels * trailings), vowel + index / trailings % vowels, trailing + tail]
    return parts.prefix(tail == 0 ? 2 : 3).compactMap(Unicode.Scalar.init)
  }

  static func compose(_ first: Unicode.Scalar, _ second: Unicode.Scalar) -> Unicode.Scalar? {
    let (first, second) = (first.value, second.value)
    if (leading..<leading + 19).contains(first), (vowel..<vowel + vowels).contains(second) {
      return Unicode.Scalar(syllables + ((first - leading) * vowels + second - vowel) * trailings)
    }
    if (0xAC00...0xD7A3).contains(first), (first - syllables) % trailings == 0,
      (trailing + 1..<trailing + trailings).contains(second)
    {
      return Unicode.Scalar(first + second - trailing)
    }
    return nil
  }
}
