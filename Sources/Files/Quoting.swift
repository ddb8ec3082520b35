// Texts from files as they may stand in messages.

/// A text quoted, escaped and cut after 80 scalars.
package func quoted(_ text: String) -> String {
  let limit = 80
  var start = String.UnicodeScalarView(text.unicodeScalars.prefix(limit))
  if text.unicodeScalars.dropFirst(limit).first != nil { start.append("…") }
  return String(reflecting: String(start))
}
