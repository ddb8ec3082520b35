// A table that scrolls by itself on a narrow page.

/// Rows and columns of cells.
struct Table {
  struct Cell {
    var content: Markup
    var isNumber = true
    /// Whether it is the best of its column.
    var isBest = false

    init(_ content: Markup, isNumber: Bool = true, isBest: Bool = false) {
      (self.content, self.isNumber, self.isBest) = (content, isNumber, isBest)
    }

    /// An escaped text; a dash for nil.
    static func text(_ text: String?, isNumber: Bool = true, isBest: Bool = false) -> Cell {
      Cell("\(text ?? "–")", isNumber: isNumber, isBest: isBest)
    }
  }

  var headings: [String]
  /// The first cell of a row names it.
  var rows: [[Cell]]
  var caption: String?

  var markup: Markup {
    let numeric = headings.indices.map { column in rows.contains { column < $0.count && $0[column].isNumber } }
    let head: [Markup] = zip(headings, numeric).map { "<th scope=\"col\"\(Self.style($1, false))>\($0)</th>" }
    let body: [Markup] = rows.map { row in
      let cells: [Markup] = row.enumerated().map { index, cell in
        index == 0
          ? "<th scope=\"row\">\(cell.content)</th>"
          : "<td\(Self.style(cell.isNumber, cell.isBest))>\(cell.content)</td>"
      }
      return "<tr>\(cells)</tr>\n"
    }
    return """
      <div class="scroll"><table>\(caption.map { "<caption>\($0)</caption>" as Markup })<thead><tr>\(head)</tr></thead>
      <tbody>\(body)</tbody></table></div>

      """
  }

  private static func style(_ isNumber: Bool, _ isBest: Bool) -> Markup {
    switch (isNumber, isBest) {
    case (true, true): " class=\"number best\""
    case (true, false): " class=\"number\""
    case (false, true): " class=\"best\""
    case (false, false): ""
    }
  }
}
