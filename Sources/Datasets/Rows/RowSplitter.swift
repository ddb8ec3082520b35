// Where rows begin and end in a file: lines of JSON Lines, or elements of one JSON array, without parsing them.
import Files

/// The rows of a file's text, one after the other.
struct RowSplitter {
  /// One row's bytes, valid until the next row is asked for, and where it stands.
  struct Row {
    let bytes: UnsafeRawBufferPointer
    /// The line it begins in, from 1.
    let line: Int
    /// The line's number in JSON Lines, the element's in an array, from 1.
    let number: Int
    /// Whether it is an element of an array.
    let isElement: Bool
    /// What it is called where it has no id.
    var name: String { isElement ? "element-\(number)" : "line-\(line)" }
  }

  private let text: RowText
  private var bytes: UnsafeRawBufferPointer
  let isArray: Bool
  /// Whether the text begins as a table does and not as rows: its first line is no JSON and has separators.
  let looksLikeTable: Bool
  private var position: Int
  private var number = 0
  private var isDone = false
  /// The line of `position`, from 1.
  private(set) var line = 1

  /// A file whose first character is a bracket is an array: no row of JSON Lines is one.
  init(_ text: RowText) {
    let byteOrderMark: [UInt8] = [0xEF, 0xBB, 0xBF]
    let start = text.window.starts(with: byteOrderMark) ? byteOrderMark.count : 0
    let blanks: [UInt8] = [0x20, 0x09, 0x0D, 0x0A]
    var first = text.window[start...].firstIndex { !blanks.contains($0) }
    while first == nil, !text.isWhole {
      text.advance(to: 0)
      first = text.window[start...].firstIndex { !blanks.contains($0) }
    }
    self.text = text
    bytes = text.window
    isArray = first.map { text.window[$0] == UInt8(ascii: "[") } ?? false
    looksLikeTable = first.map { Self.isTable(text.window[$0...].prefix(1 << 16)) } ?? false
    position = start
  }

  /// The next row; nil at the end. Throws where an array is not closed or its elements are not separated.
  mutating func next() throws(JSONSyntaxError) -> Row? {
    while true {
      let start = (position, number, isDone, line)
      do throws(JSONSyntaxError) {
        let row = isArray ? try nextElement() : nextLine()
        if position < bytes.count || text.isWhole { return row }
      } catch {
        if position < bytes.count || text.isWhole { throw error }
      }
      // What came to the end of the window may go on after it.
      (position, number, isDone, line) = start
      text.advance(to: position)
      (bytes, position) = (text.window, 0)
    }
  }

  private static func isTable(_ text: Slice<UnsafeRawBufferPointer>) -> Bool {
    let line = Array(text.prefix { $0 != UInt8(ascii: "\n") })
    let separators: [UInt8] = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    guard let first = line.first, first != UInt8(ascii: "{"), first != UInt8(ascii: "["),
      line.contains(where: separators.contains)
    else { return false }
    return (try? JSON(parsing: line)) == nil
  }

  private mutating func nextLine() -> Row? {
    while position < bytes.count {
      let rest = UnsafeRawBufferPointer(rebasing: bytes[position...])
      let length = rest.firstIndex(of: UInt8(ascii: "\n")) ?? rest.count
      defer { (position, line) = (position + length + 1, line + 1) }
      if let text = Self.trimmed(UnsafeRawBufferPointer(rebasing: rest[..<length])) {
        return Row(bytes: text, line: line, number: line, isElement: false)
      }
    }
    return nil
  }

  private mutating func nextElement() throws(JSONSyntaxError) -> Row? {
    guard !isDone else { return nil }
    if number == 0 {
      skipBlanks()
      position += 1  // the bracket
      skipBlanks()
      if position < bytes.count, bytes[position] == UInt8(ascii: "]") { return try end() }
    }
    skipBlanks()
    let (start, first) = (position, line)
    try skipValue()
    number += 1
    let row = UnsafeRawBufferPointer(rebasing: bytes[start..<position])
    skipBlanks()
    guard position < bytes.count, !row.isEmpty else { throw failure("the array is not closed, the file may be cut") }
    switch bytes[position] {
    case UInt8(ascii: ","): position += 1
    case UInt8(ascii: "]"): _ = try end()
    default: throw failure("expected , or ] after element \(number) of the array")
    }
    return Row(bytes: Self.trimmed(row) ?? row, line: first, number: number, isElement: true)
  }

  /// After the closing bracket only blanks may follow.
  private mutating func end() throws(JSONSyntaxError) -> Row? {
    isDone = true
    position += 1
    skipBlanks()
    guard position == bytes.count else { throw failure("text after the array") }
    return nil
  }

  /// Up to the comma or bracket that ends an element; what is in it is checked when it is parsed.
  private mutating func skipValue() throws(JSONSyntaxError) {
    var (depth, isText) = (0, false)
    while position < bytes.count {
      let byte = bytes[position]
      if isText {
        if byte == UInt8(ascii: "\\") { position += 1 }
        if byte == UInt8(ascii: "\"") { isText = false }
      } else {
        switch byte {
        case UInt8(ascii: "\""): isText = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
          if depth == 0 { return }
          depth -= 1
        case UInt8(ascii: ","): if depth == 0 { return }
        case UInt8(ascii: "\n"): line += 1
        default: break
        }
      }
      position += 1
    }
    position = min(position, bytes.count)
    throw failure("the array is not closed, the file may be cut")
  }

  private mutating func skipBlanks() {
    while position < bytes.count {
      switch bytes[position] {
      case 0x20, 0x09, 0x0D: break
      case 0x0A: line += 1
      default: return
      }
      position += 1
    }
  }

  private func failure(_ problem: String) -> JSONSyntaxError {
    JSONSyntaxError(byte: text.offset + position, problem: problem)
  }

  /// Without blanks at the end; nil where nothing else is there.
  private static func trimmed(_ bytes: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer? {
    let blanks: [UInt8] = [0x20, 0x09, 0x0D, 0x0A]
    return bytes.lastIndex { !blanks.contains($0) }.map { UnsafeRawBufferPointer(rebasing: bytes[...$0]) }
  }
}
