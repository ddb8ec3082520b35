// Texts in columns of a terminal.

/// A text filled up with blanks on the right; a longer one stays whole, with `gap` blanks after it.
package func padded(_ text: String, to width: Int, gap: Int = 0) -> String {
  text + String(repeating: " ", count: max(gap, width - text.count))
}

/// A text filled up with blanks on the left, at least one.
package func rightAligned(_ text: String, to width: Int) -> String {
  String(repeating: " ", count: max(1, width - text.count)) + text
}

/// At most a given count of characters, an ellipsis where something was cut.
package func shortened(_ text: String, to limit: Int) -> String {
  text.count <= limit ? text : text.prefix(limit - 1) + "…"
}
