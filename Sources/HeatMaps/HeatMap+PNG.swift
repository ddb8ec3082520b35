// The heat map as a PNG: cells of fixed size, selected heads outlined, layer shares and a legend next to them.
import Artifacts
import Files
import Foundation

extension HeatMap {
  /// Distances in pixels.
  private enum Size {
    static let margin = 28
    static let cell = (width: 56, height: 22)
    /// Between cells; wide enough for an outline.
    static let gap = 8
    static let outline = 3
    static let bar = 150
    static let text = Canvas.Font.height * textScale
    static let textScale = 2
    static let legend = (width: 240, height: 16)
  }

  private static var background: Colour { Colour(red: 255, green: 255, blue: 255) }
  private static var ink: Colour { Colour(red: 38, green: 40, blue: 46) }
  private static var faint: Colour { Colour(red: 128, green: 132, blue: 140) }
  /// A colour that is not on the scale and far from all colours of the scale.
  private static var mark: Colour { Colour(red: 230, green: 30, blue: 90) }
  private static var none: Colour { Colour(red: 225, green: 226, blue: 230) }

  /// Writes the image.
  /// - Throws: `FileError` with libpng's or the system's message.
  package func writePNG(to path: String) throws { try writeAtomically(canvas().png(for: path), to: path) }

  func canvas() -> Canvas {
    let pitch = (x: Size.cell.width + Size.gap, y: Size.cell.height + Size.gap)
    let labels = Canvas.width(of: "LAYER", scale: Size.textScale)
    let left = Size.margin + labels + 16
    let top = Size.margin + 2 * Size.text + 24
    let gridRight = left + columns * pitch.x - Size.gap
    let bars = gridRight + 28
    let percent = Canvas.width(of: "100.0%", scale: Size.textScale)
    let width = max(bars + Size.bar + 10 + percent, left + Size.legend.width + 130) + Size.margin
    let gridBottom = top + masses.count * pitch.y - Size.gap
    let legendTop = gridBottom + 28
    let height = legendTop + Size.legend.height + 10 + Size.text + 16 + Size.text + Size.margin
    var canvas = Canvas(width: width, height: height, background: Self.background)

    let title = Size.margin
    let numbers = top - Size.text - 10
    canvas.text("LAYER", x: Size.margin, y: numbers, scale: Size.textScale, Self.faint)
    canvas.text(selection.kind.word.uppercased(), x: left, y: title, scale: Size.textScale, Self.faint)
    canvas.text("SHARE OF INFLUENCE", x: bars, y: title, scale: Size.textScale, Self.faint)
    for head in 0..<columns {
      let text = "\(head)"
      let x = left + head * pitch.x + (Size.cell.width - Canvas.width(of: text, scale: Size.textScale)) / 2
      canvas.text(text, x: x, y: numbers, scale: Size.textScale, Self.ink)
    }
    let largest = masses.indices.map(share).max() ?? 0
    for layer in masses.indices {
      let y = top + layer * pitch.y
      let textTop = y + (Size.cell.height - Size.text) / 2
      let text = "\(layer)"
      let x = Size.margin + labels - Canvas.width(of: text, scale: Size.textScale)
      canvas.text(text, x: x, y: textTop, scale: Size.textScale, Self.ink)
      for head in selection.scores[layer].indices {
        let cell = Canvas.Rectangle(
          x: left + head * pitch.x, y: y, width: Size.cell.width, height: Size.cell.height)
        if isSelected(layer: layer, head: head) {
          canvas.fill(cell.expanded(by: Size.outline), Self.mark)
          canvas.fill(cell.expanded(by: -1), Self.background)
          canvas.fill(cell.expanded(by: -2), level(layer: layer, head: head).map(Colour.viridis) ?? Self.none)
        } else {
          canvas.fill(cell, level(layer: layer, head: head).map(Colour.viridis) ?? Self.none)
        }
      }
      let length = largest > 0 ? Int((Double(Size.bar) * share(layer: layer) / largest).rounded()) : 0
      let bar = Canvas.Rectangle(x: bars, y: y + 4, width: max(1, length), height: Size.cell.height - 8)
      canvas.fill(bar, selection.kvIndices[layer].isEmpty ? Self.faint : Self.mark)
      canvas.text(
        String(format: "%.1f%%", 100 * share(layer: layer)), x: bars + max(1, length) + 8, y: textTop,
        scale: Size.textScale, Self.ink)
    }
    drawLegend(on: &canvas, x: left, y: legendTop)
    return canvas
  }

  private func drawLegend(on canvas: inout Canvas, x: Int, y: Int) {
    for column in 0..<Size.legend.width {
      canvas.fill(
        Canvas.Rectangle(x: x + column, y: y, width: 1, height: Size.legend.height),
        Colour.viridis(Double(column) / Double(Size.legend.width - 1)))
    }
    canvas.text(
      "LOG SCALE", x: x + Size.legend.width + 12, y: y + (Size.legend.height - Size.text) / 2, scale: Size.textScale,
      Self.faint)
    let (low, high) = (String(format: "%.1E", lowest), String(format: "%.1E", highest))
    let below = y + Size.legend.height + 10
    canvas.text(low, x: x, y: below, scale: Size.textScale, Self.ink)
    let right = x + Size.legend.width - Canvas.width(of: high, scale: Size.textScale)
    canvas.text(high, x: right, y: below, scale: Size.textScale, Self.ink)
    let picked = selection.kvIndices.reduce(0) { $0 + $1.count }
    let line = below + Size.text + 16
    canvas.fill(Canvas.Rectangle(x: x, y: line, width: Size.text, height: Size.text), Self.mark)
    canvas.fill(
      Canvas.Rectangle(x: x, y: line, width: Size.text, height: Size.text).expanded(by: -Size.outline), Self.background)
    canvas.text(
      "\(picked) OF \(selection.capacity.reduce(0, +)) SELECTED", x: x + Size.text + 8, y: line,
      scale: Size.textScale, Self.ink)
  }
}
