// Texts from files as they may stand in messages.

/// A scalar of the basic plane as JSON and YAML spell it by its number: `\u001b`.
package func unicodeEscape(_ scalar: Unicode.Scalar) -> String {
  let digits = String(scalar.value, radix: 16)
  return "\\u" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
}

/// A text quoted, escaped and cut after 80 scalars.
package func quoted(_ text: String) -> String {
  let limit = 80
  var start = String.UnicodeScalarView(text.unicodeScalars.prefix(limit))
  if text.unicodeScalars.dropFirst(limit).first != nil { start.append("…") }
  return String(reflecting: String(start))
}

/// An error's words as one line that people can read, whatever a hostile file has for names: line breaks become spaces,
/// and of more than 8000 scalars the middle is left out. What to do about it stands at the end.
package func oneLine(_ text: String) -> String {
  let (limit, ending) = (8000, 2000)
  let line = text.contains(where: \.isNewline) ? String(text.map { $0.isNewline ? " " : $0 }) : text
  guard line.utf8.count > limit, line.unicodeScalars.dropFirst(limit).first != nil else { return line }
  let start = String.UnicodeScalarView(line.unicodeScalars.prefix(limit - ending - 1))
  return String(start + "\u{2026}".unicodeScalars + line.unicodeScalars.suffix(ending))
}
