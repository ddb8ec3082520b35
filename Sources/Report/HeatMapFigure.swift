// The influence of every head as SVG, with the scale and colours of `HeatMap`; selected heads are marked.
import Adapters
import Artifacts
import Formatting
import HeatMaps

/// A row for each layer, a column for each head, each layer's share of the influence beside it, and a legend.
package struct HeatMapFigure {
  let title: String
  /// The selected heads, and the scores if they were selected by scores.
  let selection: HeadSelection
  let map: HeatMap?

  package init(title: String, selection: HeadSelection) {
    (self.title, self.selection) = (title, selection)
    let usable = !selection.scores.isEmpty && selection.scores.joined().allSatisfy(\.isFinite)
    map = usable ? HeatMap(selection) : nil
  }

  enum Size {
    static let left = 52.0
    static let top = 40.0
    static let gap = 3.0
    static let height = 17.0
    static let bar = 96.0
    static let legend = 150.0
  }

  private var columns: Int { selection.capacity.max() ?? 0 }
  private var cell: Double { columns <= 4 ? 40 : columns <= 8 ? 30 : 22 }
  private var gridRight: Double { Size.left + Double(columns) * (cell + Size.gap) }
  private var bottom: Double { Size.top + Double(selection.kvIndices.count) * (Size.height + Size.gap) }

  /// Of the drawing, in pixels.
  var width: Double { max(gridRight + (map == nil ? 8 : Size.bar + 78), Size.left + Size.legend + 130) }
  var height: Double { bottom + (map == nil ? 36 : 76) }

  /// What is shown, in words: which heads, and how they were selected.
  var summary: [String] {
    let chosen = selection.kvIndices.reduce(0) { $0 + $1.count }
    let all = selection.capacity.reduce(0, +)
    return [
      "\(chosen) of \(all) \(selection.kind.words) in \(plural(selection.adapted.count, "layer"))",
      "selected by \(selection.method)" + (map == nil ? "; without scores, so no influence is shown" : ""),
    ]
  }

  /// The drawing in a page, below its title.
  var figure: Markup {
    let summary = summary.joined(separator: ", ")
    return """
      <figure class="heat" style="width:\(width)px"><figcaption><h3>\(breakable(title))</h3><p class="note">\
      \(breakable(summary))</p></figcaption>
      <svg viewBox="0 0 \(width) \(height)" role="img" aria-label="\(title): \(summary)">
      \(drawing)</svg></figure>

      """
  }

  /// All marks, in a space of `width` by `height`.
  var drawing: Markup { "\(headings)\(selection.kvIndices.indices.map(row))\(legend)" }

  private var headings: Markup {
    let numbers: [Markup] = (0..<columns).map { head in
      let x = Size.left + Double(head) * (cell + Size.gap) + cell / 2
      return "<text class=\"tick\" x=\"\(x)\" y=\"\(Size.top - 6)\" text-anchor=\"middle\">\(head)</text>"
    }
    let share: Markup =
      map == nil ? "" : "<text class=\"tick\" x=\"\(gridRight + 14)\" y=\"14\">share of influence</text>"
    return """
      <text class="tick" x="\(Size.left - 10)" y="\(Size.top - 6)" text-anchor="end">layer</text>\
      <text class="tick" x="\(Size.left)" y="14">\(selection.kind.word)</text>\(share)\(numbers)
      """
  }

  private func row(_ layer: Int) -> Markup {
    let y = Size.top + Double(layer) * (Size.height + Size.gap)
    let cells: [Markup] = (0..<selection.capacity[layer]).map { cellMark(layer, $0, y: y) }
    return """
      <text class="tick" x="\(Size.left - 10)" y="\(y + Size.height - 4)" text-anchor="end">\(layer)</text>\(cells)\
      \(map.map { bar($0, layer, y: y) })
      """
  }

  private func cellMark(_ layer: Int, _ head: Int, y: Double) -> Markup {
    let x = Size.left + Double(head) * (cell + Size.gap)
    let isChosen = selection.kvIndices[layer].contains(head)
    let score = map.map { ": influence \(significant($0.selection.scores[layer][head]))" } ?? ""
    let colour = map.flatMap { map in map.level(layer: layer, head: head).map(Colour.viridis) }
    let title = "layer \(layer), \(selection.kind(of: layer).word) \(head)\(score)\(isChosen ? ", chosen" : "")"
    return "<g>\(box(x, y, width: cell, colour: colour, isChosen: isChosen))<title>\(title)</title></g>\n"
  }

  /// A head's box; a chosen one has an outline and a dot.
  private func box(_ x: Double, _ y: Double, width: Double, colour: Colour?, isChosen: Bool) -> Markup {
    let fill: Markup = colour.map { "fill=\"\($0.hexadecimal)\"" } ?? "class=\"none\""
    let mark: Markup =
      isChosen
      ? """
      <rect class="chosen" x="\(x - 0.5)" y="\(y - 0.5)" width="\(width + 1)" height="\(Size.height + 1)" rx="2"/>\
      <circle cx="\(x + width / 2)" cy="\(y + Size.height / 2)" r="3" \
      fill="\(colour.map { $0.isLight ? "#000" : "#fff" } ?? "currentColor")"/>
      """ : ""
    return "<rect x=\"\(x)\" y=\"\(y)\" width=\"\(width)\" height=\"\(Size.height)\" rx=\"2\" \(fill)/>\(mark)"
  }

  private func bar(_ map: HeatMap, _ layer: Int, y: Double) -> Markup {
    let largest = map.masses.indices.map(map.share).max() ?? 0
    let share = map.share(layer: layer)
    let length = largest > 0 ? max(1, Size.bar * share / largest) : 1
    return """
      <rect class="\(selection.kvIndices[layer].isEmpty ? "bar" : "bar adapted")" x="\(gridRight + 14)" y="\(y + 4)" \
      width="\(length)" height="\(Size.height - 8)" rx="1.5"/>\
      <text class="tick" x="\(gridRight + 20 + length)" y="\(y + Size.height - 4)">\(percent(share))</text>
      """
  }

  /// What the marks mean, and the scale of the colours.
  private var legend: Markup {
    let y = bottom + 12
    func key(_ x: Double, _ text: String, isChosen: Bool) -> Markup {
      """
      \(box(x, y, width: Size.height, colour: nil, isChosen: isChosen))\
      <text class="tick" x="\(x + Size.height + 7)" y="\(y + Size.height - 4)">\(text)</text>
      """
    }
    let chosen = key(Size.left, "selected", isChosen: true)
    guard let map else { return chosen }
    let steps = 30
    let width = Size.legend / Double(steps)
    let top = y + Size.height + 14
    let colours: [Markup] = (0..<steps).map { step in
      let colour = Colour.viridis(Double(step) / Double(steps - 1)).hexadecimal
      let x = Size.left + Double(step) * width
      return "<rect x=\"\(x)\" y=\"\(top)\" width=\"\(width + 0.3)\" height=\"9\" fill=\"\(colour)\"/>"
    }
    let end = Size.left + Size.legend
    return """
      \(chosen)\(key(Size.left + 96, "no influence", isChosen: false))\(colours)
      <text class="tick" x="\(Size.left)" y="\(top + 23)">\(significant(map.lowest, digits: 2))</text>\
      <text class="tick" x="\(end)" y="\(top + 23)" text-anchor="end">\(significant(map.highest, digits: 2))</text>\
      <text class="tick" x="\(end + 10)" y="\(top + 9)">influence, log scale</text>
      """
  }
}
