// The heat map as lines of text: coloured blocks on a terminal, digits in files and pipes.
import Artifacts
import Foundation

extension HeatMap {
  /// How a cell is drawn.
  package enum TextStyle: Sendable {
    /// A digit from 0 to 9, brackets around a selected head.
    case digits
    /// A block of one of 256 colours, a diamond in a selected head.
    case colours
  }

  /// The map with layer masses and shares at its right and a legend below.
  package func lines(_ style: TextStyle) -> [String] {
    let width = max(3, "\(columns - 1)".count + 2)
    func heading(_ text: String) -> String { pad(text, to: 5) }
    let numbers = (0..<columns).map { centred("\($0)", in: width) }.joined(separator: " ")
    let top = heading("layer") + "  " + numbers + "      mass   share  heads"
    let largest = (masses.indices.map(share).max() ?? 0)
    let rows = masses.indices.map { layer in
      let cells = (0..<columns).map { cell(layer: layer, head: $0, width: width, style) }.joined(separator: " ")
      let bar = largest > 0 ? Int((12 * share(layer: layer) / largest).rounded()) : 0
      let count = selection.kvIndices[layer].count
      return heading("\(layer)") + "  " + cells + "  " + String(format: "%.2e", masses[layer])
        + String(format: "  %5.1f%%  ", 100 * share(layer: layer)) + pad(count == 0 ? "-" : "\(count)", to: 5)
        + "  " + String(repeating: style == .colours ? "▇" : "#", count: bar)
    }
    return [top] + rows.map { String($0.reversed().drop { $0 == " " }.reversed()) } + [""] + legend(style)
  }

  private func cell(layer: Int, head: Int, width: Int, _ style: TextStyle) -> String {
    guard head < selection.scores[layer].count else { return String(repeating: " ", count: width) }
    let (level, selected) = (level(layer: layer, head: head), isSelected(layer: layer, head: head))
    switch style {
    case .digits:
      let text = level.map { "\(min(9, Int($0 * 10)))" } ?? "."
      return centred(selected ? "[\(text)]" : text, in: width)
    case .colours:
      return block(level.map(Colour.viridis), centred(selected ? "◆" : " ", in: width))
    }
  }

  /// Text on a colour; black where there is no influence.
  private func block(_ colour: Colour?, _ text: String) -> String {
    let back = colour?.terminalIndex ?? 16
    let front = colour?.isLight ?? false ? 16 : 231
    return "\u{1B}[48;5;\(back);38;5;\(front)m\(text)\u{1B}[0m"
  }

  private func legend(_ style: TextStyle) -> [String] {
    let total = selection.capacity.reduce(0, +)
    let picked = selection.kvIndices.reduce(0) { $0 + $1.count }
    let layers = selection.adapted.count
    let (low, high) = (String(format: "%.1e", lowest), String(format: "%.1e", highest))
    let tau = selection.method.hasPrefix("per_layer") ? "" : ", tau \(selection.tau)"
    let place = "in \(layers) layer\(layers == 1 ? "" : "s")"
    let selected = "\(picked) of \(total) heads selected, \(place) (\(selection.method)\(tau))"
    switch style {
    case .digits:
      let factor = String(format: "%.2g", pow(highest / lowest, 0.1))
      return ["log scale: 0 from \(low), 9 to \(high), a factor \(factor) a digit; . is none", "[ ] \(selected)"]
    case .colours:
      let bar = (0..<24).map { block(Colour.viridis(Double($0) / 23), " ") }.joined()
      return ["\(low) \(bar) \(high), log scale; black is none", "◆ \(selected)"]
    }
  }

  private func pad(_ text: String, to width: Int) -> String {
    String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private func centred(_ text: String, in width: Int) -> String {
    let free = max(0, width - text.count)
    return String(repeating: " ", count: free / 2) + text + String(repeating: " ", count: free - free / 2)
  }
}
