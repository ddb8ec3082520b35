// Curves over steps as inline SVG: axes with round numbers, a legend, and the values under the pointer.

/// A chart with steps on the horizontal axis and values on the vertical axis.
struct LineChart {
  /// How a curve is drawn.
  enum Style: Equatable {
    /// A line.
    case line
    /// A thin pale line below the others, without a name in the legend.
    case faint
    /// A line with a dot at every value, for series with few values.
    case dots
  }

  struct Series {
    var name: String
    /// Index of one of the page's colours; beyond the last they repeat, with dashes.
    var colour: Int
    var style = Style.line
    var curve: Curve
    /// The area between two curves of the same steps, such as minimum and maximum of several runs.
    var band: (low: Curve, high: Curve)?
  }

  var title: String
  var kind = Scale.Kind.linear
  var series: [Series]
  /// A note for the reader, below the chart.
  var note: String?
  /// Whether zero is on the vertical axis.
  var startsAtZero = false

  /// Number of colours in the page's style.
  static let colours = 8
  private enum Size {
    static let width = 460.0
    static let height = 250.0
    static let left = 56.0
    static let right = 14.0
    static let top = 10.0
    static let bottom = 40.0
    /// More points than this would overlap.
    static let points = 440
    /// Number of strips that show their values.
    static let stops = 96
  }

  private let bottom = Size.height - Size.bottom
  private let right = Size.width - Size.right

  /// The chart with its title and legend; nil if no series has a value that can be drawn.
  var figure: Markup? {
    let drawn = series.filter { !$0.curve.segments(kind).isEmpty }
    guard !drawn.isEmpty else { return nil }
    let points = drawn.flatMap(\.curve.points).filter { Scale.isDrawable($0.value, kind) }
    // A pale curve shows noise, so its outliers do not determine the scale.
    let firm = drawn.filter { $0.style != .faint }
    let faint = drawn.filter { $0.style == .faint }.flatMap { Self.middle(of: $0.curve, kind) }
    let band = drawn.compactMap(\.band).flatMap { $0.low.points + $0.high.points }.map(\.value)
    let x = Scale(of: points.map(\.step), ticks: 6, rounded: false)
    let values = firm.flatMap(\.curve.points).map(\.value) + faint + band + (startsAtZero ? [0] : [])
    let y = Scale(kind, of: values)
    let plot = Plot(x: x, y: y, left: Size.left, right: right, top: Size.top, bottom: bottom)
    let clip = "clip-\(identifier)"
    return """
      <figure class="chart"><figcaption><h3>\(breakable(title))</h3>\(legend(firm))</figcaption>
      <svg viewBox="0 0 \(Size.width) \(Size.height)" role="img" aria-label="\(title)">
      <clipPath id="\(clip)"><rect x="\(Size.left - 5)" y="\(Size.top - 5)" width="\(right - Size.left + 10)" height="\(bottom - Size.top + 10)"/></clipPath>
      \(axes(plot))<g clip-path="url(#\(clip))">\(drawn.compactMap { bandPath($0, plot) })\(lines(drawn, plot))</g>
      \(stops(firm, plot))</svg>\(note.map { "<p class=\"note\">\($0)</p>" as Markup })</figure>

      """
  }

  /// The title's letters and digits; unique in a page, because its charts have different titles.
  private var identifier: String {
    String(title.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
  }

  /// The values of a curve without the lowest and highest hundredth.
  private static func middle(of curve: Curve, _ kind: Scale.Kind) -> [Double] {
    let values = curve.points.map(\.value).filter { Scale.isDrawable($0, kind) }.sorted()
    return Array(values.dropFirst(values.count / 100).dropLast(values.count / 100))
  }

  // MARK: - Parts

  /// Converts steps and values to coordinates of the drawing.
  private struct Plot {
    let x, y: Scale
    let left, right, top, bottom: Double
    func x(_ step: Double) -> Double { left + x.place(of: step) * (right - left) }
    func y(_ value: Double) -> Double { bottom - y.place(of: value) * (bottom - top) }
    func place(_ point: CurvePoint) -> (x: Double, y: Double) { (x(point.step), y(point.value)) }
  }

  private func axes(_ plot: Plot) -> Markup {
    let rows: [Markup] = plot.y.ticks.map { tick in
      let y = plot.y(tick)
      return """
        <line class="grid" x1="\(plot.left)" x2="\(plot.right)" y1="\(y)" y2="\(y)"/>\
        <text class="tick" x="\(plot.left - 8)" y="\(y + 4)" text-anchor="end">\(plot.y.label(tick))</text>
        """
    }
    let columns: [Markup] = plot.x.ticks.filter { $0 == $0.rounded() }.map { tick in
      let x = plot.x(tick)
      return """
        <line class="axis" x1="\(x)" x2="\(x)" y1="\(plot.bottom)" y2="\(plot.bottom + 4)"/>\
        <text class="tick" x="\(x)" y="\(plot.bottom + 17)" text-anchor="middle">\(plot.x.label(tick))</text>
        """
    }
    return """
      \(rows)<line class="axis" x1="\(plot.left)" x2="\(plot.right)" y1="\(plot.bottom)" y2="\(plot.bottom)"/>\(columns)\
      <text class="tick" x="\((plot.left + plot.right) / 2)" y="\(plot.bottom + 34)" text-anchor="middle">step</text>
      """
  }

  private func classes(_ series: Series) -> String {
    let dashes = series.colour / Self.colours % 3
    let style = series.style == .faint ? " faint" : ""
    return "s\(series.colour % Self.colours)\(style)" + (dashes > 0 ? " dash\(dashes)" : "")
  }

  private func lines(_ drawn: [Series], _ plot: Plot) -> [Markup] {
    drawn.sorted { $0.style == .faint && $1.style != .faint }.map { series in
      var marks: Markup = ""
      for segment in series.curve.thinned(to: Size.points).segments(kind) {
        let places = segment.map(plot.place)
        if places.count > 1 {
          marks += "<polyline class=\"line \(classes(series))\" points=\"\(Self.path(places))\"/>"
        }
        // A single point is not a line.
        for place in places where series.style == .dots || places.count == 1 {
          marks += "<circle class=\"dot \(classes(series))\" cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"3\"/>"
        }
      }
      return marks
    }
  }

  private func bandPath(_ series: Series, _ plot: Plot) -> Markup? {
    guard let band = series.band else { return nil }
    let (low, high) = (band.low.segments(kind), band.high.segments(kind))
    guard low.count == high.count else { return nil }
    let areas: [Markup] = zip(low, high).map { low, high in
      "<polygon class=\"band \(classes(series))\" points=\"\(Self.path((low + high.reversed()).map(plot.place)))\"/>"
    }
    return areas.joined()
  }

  private static func path(_ places: [(x: Double, y: Double)]) -> Markup {
    places.map { "\($0.x),\($0.y)" as Markup }.joined(separator: " ")
  }

  private func legend(_ firm: [Series]) -> Markup? {
    guard firm.count > 1 || firm.first?.name != title else { return nil }
    let items: [Markup] = firm.map { series in
      """
      <li><svg class="swatch" viewBox="0 0 22 8" aria-hidden="true"><line class="line \(classes(series))" x1="1" x2="21" y1="4" \
      y2="4"/>\(series.style == .dots ? "<circle class=\"dot \(classes(series))\" cx=\"11\" cy=\"4\" r=\"3\"/>" as Markup : "")\
      </svg>\(breakable(series.name))</li>
      """
    }
    return "<ul class=\"legend\">\(items)</ul>"
  }

  /// Strips over the plot; each shows the values of its step under the pointer.
  private func stops(_ firm: [Series], _ plot: Plot) -> [Markup] {
    let width = (plot.right - plot.left) / Double(Size.stops)
    // The last value of each series in each strip.
    var found: [Int: [(series: Series, point: CurvePoint)]] = [:]
    for series in firm {
      var last: [Int: CurvePoint] = [:]
      for point in series.curve.points where Scale.isDrawable(point.value, kind) {
        last[min(Int((plot.x(point.step) - plot.left) / width), Size.stops - 1)] = point
      }
      for (strip, point) in last { found[strip, default: []].append((series, point)) }
    }
    return found.sorted { $0.key < $1.key }.map { strip, values in
      let step = values.map(\.point.step).max() ?? 0
      let title = values.map { value in
        let other = value.point.step == step ? "" : " (step \(grouped(Int(value.point.step))))"
        return "\(value.series.name) \(significant(value.point.value))\(other)"
      }.joined(separator: "\n")
      let dots: [Markup] = values.map { value in
        let place = plot.place(value.point)
        return "<circle class=\"dot \(classes(value.series))\" cx=\"\(place.x)\" cy=\"\(place.y)\" r=\"4\"/>"
      }
      return """
        <g class="stop"><rect x="\(plot.left + Double(strip) * width)" y="\(plot.top)" width="\(width)" \
        height="\(plot.bottom - plot.top)"/><g><line x1="\(plot.x(step))" x2="\(plot.x(step))" y1="\(plot.top)" \
        y2="\(plot.bottom)"/>\(dots)</g><title>step \(grouped(Int(step)))
        \(title)</title></g>
        """
    }
  }
}
