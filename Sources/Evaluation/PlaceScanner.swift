// Reads places from a text's bytes, from left to right.

/// The search for the first place in a text.
struct PlaceScanner {
  private let bytes: [UInt8]
  private var index = 0

  /// Brackets in brackets that are looked into: a list of polygons of points.
  private static let maximumDepth = 4

  init(_ text: String) { bytes = Array(text.utf8) }

  private var isAtEnd: Bool { index >= bytes.count }
  private var next: UInt8? { isAtEnd ? nil : bytes[index] }

  /// The first place, nil if there is none.
  mutating func firstPlace() -> Region? {
    let values = keyedValues()
    guard values.isEmpty else {
      for value in values {
        index = value.start
        if case .place(let region) = bracket(isPoint: value.isPoint) { return region }
      }
      return nil
    }
    while !isAtEnd {
      let start = index
      switch element() {
      case .place(let region): return region
      // No place begins within what was read.
      case .other: index = max(index, start + 1)
      case .cut: return nil
      case .none: index = start + 1
      }
    }
    return nil
  }

  /// What was found at a position.
  private enum Found {
    case place(Region)
    /// Something that was read to its end and is no place.
    case other
    /// Numbers that the text's end cuts off.
    case cut
    /// Nothing: a place may begin at the next byte.
    case none
  }

  private mutating func element() -> Found {
    switch next {
    case UInt8(ascii: "("), UInt8(ascii: "["): return bracket(isPoint: false)
    case UInt8(ascii: "<"): return tag()
    case UInt8(ascii: "x"), UInt8(ascii: "\""), UInt8(ascii: "'"): return named()
    default: return .none
    }
  }

  // MARK: - JSON

  /// Where the values of `bbox_2d` and `point_2d` begin, of keys in double or single quotes.
  private mutating func keyedValues() -> [(start: Int, isPoint: Bool)] {
    var values: [(start: Int, isPoint: Bool)] = []
    for start in bytes.indices where bytes[start] == UInt8(ascii: "\"") || bytes[start] == UInt8(ascii: "'") {
      let quote = Unicode.Scalar(bytes[start])
      for (name, isPoint) in [("bbox_2d", false), ("point_2d", true)] {
        index = start + 1
        guard skip(text: name), next == UInt8(ascii: quote), skip(quote), skip(":") else { continue }
        skipBlanks()
        values.append((index, isPoint))
      }
    }
    index = 0
    return values
  }

  // MARK: - Brackets

  /// Numbers in brackets, and brackets in brackets.
  private indirect enum Value {
    case number(Double)
    case list([Value])
  }

  /// A place in brackets, with the corners that follow it in round ones.
  /// - Parameter isPoint: of several points the first is meant.
  private mutating func bracket(isPoint: Bool) -> Found {
    let isRound = next == UInt8(ascii: "(")
    guard let value = list(depth: 1) else { return isAtEnd && hasCutNumbers ? .cut : .none }
    guard isRound, let first = Self.pair(value) else {
      return Self.region(value, isPoint: isPoint).map(Found.place) ?? .other
    }
    // Corners in brackets of their own, as Qwen-VL writes boxes.
    var points = [first]
    while true {
      let end = index
      guard skip(",") else { break }
      skipBlanks()
      guard next == UInt8(ascii: "("), let value = list(depth: 1), let point = Self.pair(value) else {
        if isAtEnd, hasCutNumbers { return .cut }
        index = end
        break
      }
      points.append(point)
    }
    return Region(points: points).map(Found.place) ?? .other
  }

  /// Whether the brackets that were read last ran into the text's end, after a number.
  private var hasCutNumbers = false

  /// Numbers and lists of them, nil for anything else.
  private mutating func list(depth: Int) -> Value? {
    hasCutNumbers = false
    let isRound = next == UInt8(ascii: "(")
    guard depth <= Self.maximumDepth, isRound || next == UInt8(ascii: "[") else { return nil }
    index += 1
    var values: [Value] = []
    repeat {
      skipBlanks()
      if next == UInt8(ascii: "(") || next == UInt8(ascii: "[") {
        guard let value = list(depth: depth + 1) else {
          if !values.isEmpty, isAtEnd { hasCutNumbers = true }
          return nil
        }
        values.append(value)
      } else {
        guard let number = number() else {
          hasCutNumbers = isAtEnd && !values.isEmpty
          return nil
        }
        values.append(.number(number))
      }
      skipBlanks()
    } while skip(",")
    guard next == (isRound ? UInt8(ascii: ")") : UInt8(ascii: "]")) else {
      hasCutNumbers = isAtEnd
      return nil
    }
    index += 1
    return .list(values)
  }

  private static func numbers(_ value: Value) -> [Double]? {
    guard case .list(let values) = value else { return nil }
    let numbers = values.compactMap { if case .number(let number) = $0 { number } else { nil } }
    return numbers.count == values.count ? numbers : nil
  }

  private static func pair(_ value: Value) -> [Double]? {
    numbers(value).flatMap { $0.count == 2 ? $0 : nil }
  }

  private static func region(_ value: Value, isPoint: Bool) -> Region? {
    if let numbers = numbers(value) { return Region(numbers) }
    guard case .list(let values) = value else { return nil }
    let points = values.compactMap(pair)
    if points.count == values.count { return isPoint ? Region(points[0]) : Region(points: points) }
    // Several boxes or polygons: the first, if all are of one kind.
    guard points.isEmpty else { return nil }
    let boxes = values.compactMap { region($0, isPoint: isPoint) }
    let flat = values.count(where: { numbers($0) != nil })
    return boxes.count == values.count && (flat == 0 || flat == values.count) ? boxes[0] : nil
  }

  // MARK: - Tags

  /// `<point x="12" y="34"` with quotes or without, `<point>12 34</point>`, `<box>1 2 3 4</box>`, `<bbox>...</bbox>`.
  private mutating func tag() -> Found {
    for (name, count) in [("point", 2), ("bbox", 4), ("box", 4)] {
      let start = index
      if skip(text: "<\(name)>") {
        var numbers: [Double] = []
        while numbers.count <= count, let number = number() {
          numbers.append(number)
          _ = skip(",")
        }
        if numbers.isEmpty { break }
        if isAtEnd { return .cut }
        return numbers.count == count && skip(text: "</\(name)>") ? Region(numbers).map(Found.place) ?? .other : .other
      }
      index = start
    }
    guard skip(text: "<point"), let byte = next, Self.isBlank(byte) else { return .none }
    return attributes(["x", "y"]).map { Region($0).map(Found.place) ?? .other } ?? .other
  }

  private mutating func attributes(_ names: [Unicode.Scalar]) -> [Double]? {
    var values: [Double] = []
    for name in names {
      guard skip(name), skip("=") else { return nil }
      let quote = skip("\"") || skip("'")
      guard let value = number() else { return nil }
      if quote { guard skip("\"") || skip("'") else { return nil } }
      values.append(value)
    }
    return values
  }

  // MARK: - Names

  /// `x=12, y=34`, `"x": 12, "y": 34`, and `x1`, `y1`, `x2`, `y2` in this order. With a width after it a point is the
  /// corner of a box of another form, which is no place.
  private mutating func named() -> Found {
    guard index == 0 || !Self.isWord(bytes[index - 1]) else { return .none }
    let start = index
    for names in [["x1", "y1", "x2", "y2"], ["x", "y"]] {
      index = start
      var numbers: [Double] = []
      for name in names {
        guard numbers.isEmpty || skip(","), key(name), let number = number() else { break }
        numbers.append(number)
      }
      guard numbers.count == names.count else { continue }
      let end = index
      if skip(","), key("width") || key("w") { return .other }
      index = end
      return Region(numbers).map(Found.place) ?? .other
    }
    return .none
  }

  /// A name with `=` or `:` after it, in quotes or not.
  private mutating func key(_ name: String) -> Bool {
    let start = index
    skipBlanks()
    let quote = next.flatMap { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "'") ? $0 : nil }
    if quote != nil { index += 1 }
    guard skip(text: name), quote == nil || next == quote else {
      index = start
      return false
    }
    if quote != nil { index += 1 }
    guard skip("=") || skip(":") else {
      index = start
      return false
    }
    return true
  }

  // MARK: - Bytes

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
    while let byte = next, Self.isBlank(byte) { index += 1 }
  }

  private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

  private static func isWord(_ byte: UInt8) -> Bool {
    byte == UInt8(ascii: "_") || byte >= 0x80 || (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte)
      || (0x61...0x7A).contains(byte)
  }
}
