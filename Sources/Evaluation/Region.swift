// The point or box that a text names, in the ways in which models write them.

/// A place in an image, in the coordinates that the model writes.
package enum Region: Sendable, Equatable {
  case point(x: Double, y: Double)
  case box(x1: Double, y1: Double, x2: Double, y2: Double)

  /// The point, or the box's centre.
  package var center: (x: Double, y: Double) {
    switch self {
    case .point(let x, let y): (x, y)
    case .box(let x1, let y1, let x2, let y2): ((x1 + x2) / 2, (y1 + y2) / 2)
    }
  }

  /// The first place that `text` names, nil if it names none:
  /// `(x, y)` · `[x, y]` · `[x1, y1, x2, y2]` · `(x1, y1, x2, y2)` · `(x1,y1),(x2,y2)`, also between `<|box_start|>`
  /// and `<|box_end|>` or `<box>` and `</box>` · `{"bbox_2d": [...]}` · `{"point_2d": [...]}` · `<point x="..."
  /// y="...">`.
  ///
  /// In JSON the value of `bbox_2d` or `point_2d` counts, whatever stands before it. Time is linear in the length.
  package init?(parsing text: String) {
    var scanner = Scanner(text)
    scanner.skipToKey()
    while !scanner.isAtEnd {
      let start = scanner.index
      if let region = scanner.region() {
        self = region
        return
      }
      scanner.index = max(scanner.index, start + 1)
    }
    return nil
  }

  fileprivate init?(_ numbers: [Double]) {
    switch numbers.count {
    case 2: self = .point(x: numbers[0], y: numbers[1])
    case 4: self = .box(x1: numbers[0], y1: numbers[1], x2: numbers[2], y2: numbers[3])
    default: return nil
    }
  }
}

/// Reads places from a text's bytes, from left to right.
private struct Scanner {
  let bytes: [UInt8]
  var index = 0

  init(_ text: String) { bytes = Array(text.utf8) }

  var isAtEnd: Bool { index >= bytes.count }
  private var next: UInt8? { isAtEnd ? nil : bytes[index] }

  /// Goes to the first JSON key of a place, if there is one.
  mutating func skipToKey() {
    let keys = ["\"bbox_2d\"", "\"point_2d\""].map { Array($0.utf8) }
    index =
      bytes.indices.first { start in
        bytes[start] == UInt8(ascii: "\"") && keys.contains { bytes[start...].starts(with: $0) }
      } ?? 0
  }

  /// The place that begins here. Where there is none, everything up to `index` was looked at and begins none either.
  mutating func region() -> Region? {
    switch next {
    case UInt8(ascii: "("):
      guard let first = group(closing: ")") else { return nil }
      let end = index
      // Two corners in brackets of their own, as Qwen-VL writes boxes.
      if first.count == 2, skip(",") {
        skipBlanks()
        if next == UInt8(ascii: "("), let second = group(closing: ")"), second.count == 2 {
          return Region(first + second)
        }
      }
      index = end
      return Region(first)
    case UInt8(ascii: "["):
      return group(closing: "]").flatMap { Region($0) }
    case UInt8(ascii: "<"):
      return pointTag()
    default:
      return nil
    }
  }

  /// Two to four numbers between this bracket and `closing`.
  private mutating func group(closing: Unicode.Scalar) -> [Double]? {
    index += 1
    var numbers: [Double] = []
    repeat {
      guard numbers.count < 4, let number = number() else { return nil }
      numbers.append(number)
    } while skip(",")
    guard numbers.count > 1, skip(closing) else { return nil }
    return numbers
  }

  /// `<point x="12" y="34"`, quotes or not.
  private mutating func pointTag() -> Region? {
    guard skip(text: "<point") else { return nil }
    var values: [Double] = []
    for name: Unicode.Scalar in ["x", "y"] {
      guard skip(name), skip("=") else { return nil }
      let quote = skip("\"") || skip("'")
      guard let value = number() else { return nil }
      if quote { guard skip("\"") || skip("'") else { return nil } }
      values.append(value)
    }
    return Region(values)
  }

  /// A finite decimal number with blanks around it.
  private mutating func number() -> Double? {
    skipBlanks()
    let start = index
    if next == UInt8(ascii: "-") || next == UInt8(ascii: "+") { index += 1 }
    while let byte = next, byte == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
      index += 1
    }
    let value = Double(String(decoding: bytes[start..<index], as: UTF8.self))
    guard let value, value.isFinite else { return nil }
    skipBlanks()
    return value
  }

  private mutating func skip(_ character: Unicode.Scalar) -> Bool {
    skipBlanks()
    guard next == UInt8(ascii: character) else { return false }
    index += 1
    return true
  }

  private mutating func skip(text: String) -> Bool {
    guard bytes[index...].starts(with: text.utf8) else { return false }
    index += text.utf8.count
    return true
  }

  private mutating func skipBlanks() {
    while let byte = next, byte == 0x20 || (0x09...0x0D).contains(byte) { index += 1 }
  }
}
