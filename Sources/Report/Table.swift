// A table that scrolls by itself on a narrow page.

/// Rows and columns of cells.
struct Table {
  struct Cell {
    var content: Markup
    var isNumber = true

    init(_ content: Markup, isNumber: Bool = true) { (self.content, self.isNumber) = (content, isNumber) }

    /// An escaped text; a dash for nil.
    static func text(_ text: String?, isNumber: Bool = true) -> Cell { Cell("\(text ?? "–")", isNumber: isNumber) }
  }

  var headings: [String]
  /// The first cell of a row names it.
  var rows: [[Cell]]

  var markup: Markup {
    let numeric = headings.indices.map { column in rows.contains { column < $0.count && $0[column].isNumber } }
    let head: [Markup] = zip(headings, numeric).map { "<th scope=\"col\"\(Self.style($1))>\($0)</th>" }
    let body: [Markup] = rows.map { row in
      let cells: [Markup] = row.enumerated().map { index, cell in
        index == 0
          ? "<th scope=\"row\">\(cell.content)</th>"
          : "<td\(Self.style(cell.isNumber))>\(cell.content)</td>"
      }
      return "<tr>\(cells)</tr>\n"
    }
    return """
      <div class="scroll"><table><thead><tr>\(head)</tr></thead>
      <tbody>\(body)</tbody></table></div>

      """
  }

  private static func style(_ isNumber: Bool) -> Markup { isNumber ? " class=\"number\"" : "" }
}
