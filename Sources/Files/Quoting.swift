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
