// The influence of every KV head as inline SVG, with the scale and colours of `HeatMap`; selected heads are marked.
import Adapters
import Artifacts
import Formatting
import HeatMaps

/// A row for each layer, a column for each KV head.
struct HeatMapFigure {
  var title: String
  /// The selected heads, and the scores if they were selected by scores.
  let selection: HeadSelection
  private let map: HeatMap?

  init(title: String, selection: HeadSelection) {
    (self.title, self.selection) = (title, selection)
    let usable = !selection.scores.isEmpty && selection.scores.joined().allSatisfy(\.isFinite)
    map = usable ? HeatMap(selection) : nil
  }

  private enum Size {
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

  var figure: Markup {
    let layers = selection.kvIndices.count
    let bottom = Size.top + Double(layers) * (Size.height + Size.gap)
    let width = max(gridRight + (map == nil ? 8 : Size.bar + 78), Size.left + Size.legend + 40)
    let height = bottom + (map == nil ? 8 : 54)
    let chosen = selection.kvIndices.reduce(0) { $0 + $1.count }
    let all = selection.capacity.reduce(0, +)
    let summary =
      "\(chosen) of \(all) \(selection.kind.words) in \(plural(selection.adapted.count, "layer")), selected by \(selection.method)"
    return """
      <figure class="heat"><figcaption><h3>\(title)</h3><p class="note">\(summary)\
      \(map == nil ? "; without scores, so no influence is shown" : "")</p></figcaption>
      <svg viewBox="0 0 \(width) \(height)" style="max-width:\(width)px" role="img" aria-label="\(title): \(summary)">
      \(headings)\((0..<layers).map(row))\(map.map { legend($0, bottom: bottom) })</svg></figure>

      """
  }

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
    let fill: Markup = colour.map { "fill=\"\($0.hexadecimal)\"" } ?? "class=\"none\""
    let mark: Markup =
      isChosen
      ? """
      <rect class="chosen" x="\(x - 0.5)" y="\(y - 0.5)" width="\(cell + 1)" height="\(Size.height + 1)" rx="2"/>\
      <circle cx="\(x + cell / 2)" cy="\(y + Size.height / 2)" r="3" \
      fill="\(colour.map { $0.isLight ? "#000" : "#fff" } ?? "currentColor")"/>
      """ : ""
    return """
      <g><rect x="\(x)" y="\(y)" width="\(cell)" height="\(Size.height)" rx="2" \(fill)/>\(mark)\
      <title>layer \(layer), \(selection.kind(of: layer).word) \(head)\(score)\(isChosen ? ", chosen" : "")</title></g>
      """
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

  private func legend(_ map: HeatMap, bottom: Double) -> Markup {
    let y = bottom + 14
    let steps = 30
    let width = Size.legend / Double(steps)
    let colours: [Markup] = (0..<steps).map { step in
      let colour = Colour.viridis(Double(step) / Double(steps - 1)).hexadecimal
      return
        "<rect x=\"\(Size.left + Double(step) * width)\" y=\"\(y)\" width=\"\(width + 0.3)\" height=\"9\" fill=\"\(colour)\"/>"
    }
    return """
      \(colours)<text class="tick" x="\(Size.left)" y="\(y + 24)">\(significant(map.lowest, digits: 2))</text>\
      <text class="tick" x="\(Size.left + Size.legend)" y="\(y + 24)" text-anchor="end">\(significant(map.highest, digits: 2))</text>\
      <text class="tick" x="\(Size.left + Size.legend + 10)" y="\(y + 9)">log scale</text>
      """
  }
}
