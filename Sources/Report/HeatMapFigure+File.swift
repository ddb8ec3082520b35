// The heat map as a file of its own: SVG with its title, its legend and its style.
import Files
import Formatting
import Foundation

extension HeatMapFigure {
  /// Colours of a light page; a file may stand in a page of any colour, so it has a background.
  private static let style: Markup = """
    svg{--paper:#fff;--ink:#1d2127;--soft:#5b6472;--mark:#e61e5a;--none:#e1e2e6;color:var(--ink);
    font-family:system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans","DejaVu Sans",sans-serif}
    .paper{fill:var(--paper)}.title{font-size:15px;font-weight:600;fill:var(--ink)}.summary{font-size:12px;fill:var(--soft)}
    """
  /// How marks look, here and in the page.
  static let marks: Markup = """
    .tick{fill:var(--soft);font-size:12px}
    .none{fill:var(--none)}.chosen{fill:none;stroke:var(--mark);stroke-width:2.5}
    .bar{fill:var(--none)}.adapted{fill:var(--mark)}
    """

  /// Around the drawing, and room for its title, in pixels.
  private static let margin = 20.0
  private static let head = 68.0

  /// The file's text.
  package var svg: String {
    let (width, height) = (max(width, 400) + 2 * Self.margin, Self.head + height + 2 * Self.margin)
    // About as much as the width holds.
    let lines: [Markup] = zip(summary, [34.0, 50]).map { line, y in
      "<text class=\"summary\" x=\"0\" y=\"\(y)\">\(shortened(line, to: Int(width / 7)))</text>"
    }
    let file: Markup = """
      <?xml version="1.0" encoding="UTF-8"?>
      <svg xmlns="http://www.w3.org/2000/svg" width="\(width)" height="\(height)" viewBox="0 0 \(width) \(height)" role="img">
      <title>\(title): \(summary.joined(separator: ", "))</title>
      <style>
      \(Self.style)
      \(Self.marks)
      </style>
      <rect class="paper" width="\(width)" height="\(height)"/>
      <g transform="translate(\(Self.margin) \(Self.margin))">
      <text class="title" x="0" y="14">\(shortened(title, to: Int(width / 9)))</text>\(lines)</g>
      <g transform="translate(\(Self.margin) \(Self.margin + Self.head))">
      \(drawing)</g>
      </svg>

      """
    return file.source
  }

  /// Writes the file whole or not at all.
  /// - Throws: `FileError` with the system's message.
  package func write(to path: String) throws { try writeAtomically(Data(svg.utf8), to: path) }
}
