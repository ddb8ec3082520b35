// The runs' curves: training and validation loss, other validation metrics, learning rate, gradient norm.

/// Charts over steps.
struct CurvesSection {
  let groups: [RunGroup]

  var body: Markup? {
    let names = Set(groups.flatMap(\.runs).flatMap(\.log.validationMeasures)).sorted()
    let charts =
      losses + names.map { chart(title(of: $0), $0, style: .dots) } + [
        chart("Learning rate", "learning_rate"), gradientNorm,
      ]
    let figures = charts.compactMap(\.figure)
    return figures.isEmpty ? nil : "<div class=\"grid\">\(figures)</div>\n"
  }

  private var isSingle: Bool { groups.count == 1 }

  /// Both losses in one chart for one configuration; a chart each for several, so that a colour means a run.
  private var losses: [LineChart] {
    guard isSingle, let group = groups.first else {
      return [
        smoothed("Training loss", "loss"), chart("Validation loss", "validation_loss", style: .dots),
      ]
    }
    var chart = smoothed("Loss", "loss")
    chart.series = chart.series.map { series in
      var named = series
      if series.style != .faint { named.name = "training" }
      return named
    }
    chart.series += series(group, "validation_loss", style: .dots).map { series in
      var named = series
      (named.name, named.colour) = ("validation", 1)
      return named
    }
    return [chart]
  }

  /// Means over neighbouring steps, drawn in front of the values themselves.
  private func smoothed(_ title: String, _ name: String, kind: Scale.Kind = .linear) -> LineChart {
    var series: [LineChart.Series] = []
    var windows = Set<Int>()
    for group in groups {
      for var one in self.series(group, name, style: .line) {
        let window = one.curve.usualWindow
        windows.insert(window)
        if window > 1, one.band == nil {
          series.append(LineChart.Series(name: "", colour: one.colour, style: .faint, curve: one.curve))
        }
        one.curve = one.curve.smoothed(window: window)
        one.band = one.band.map { ($0.low.smoothed(window: window), $0.high.smoothed(window: window)) }
        series.append(one)
      }
    }
    let steps = windows.filter { $0 > 1 }.sorted().map(String.init).joined(separator: " or ")
    let notes = [steps.isEmpty ? nil : "Lines are means over \(steps) steps.", seeds].compactMap(\.self)
    return LineChart(
      title: title, kind: kind, series: series, note: notes.isEmpty ? nil : notes.joined(separator: " "))
  }

  private var gradientNorm: LineChart {
    var chart = smoothed("Gradient norm", "gradient_norm", kind: .logarithmic)
    if isSingle { chart = unnamed(chart) }
    return chart
  }

  private func chart(_ title: String, _ name: String, style: LineChart.Style = .line) -> LineChart {
    let chart = LineChart(title: title, series: groups.flatMap { series($0, name, style: style) }, note: seeds)
    return isSingle ? unnamed(chart) : chart
  }

  /// A chart of one run needs no legend.
  private func unnamed(_ chart: LineChart) -> LineChart {
    var chart = chart
    for index in chart.series.indices where chart.series[index].style != .faint {
      chart.series[index].name = chart.title
    }
    return chart
  }

  private var seeds: String? {
    groups.contains { $0.runs.count > 1 } ? "Several seeds: line at the mean, band from minimum to maximum." : nil
  }

  /// A group's line; empty if no run has the values.
  private func series(_ group: RunGroup, _ name: String, style: LineChart.Style) -> [LineChart.Series] {
    let curves = group.runs.map { $0.log.curve(name) }.filter { !$0.points.isEmpty }
    guard let first = curves.first else { return [] }
    guard curves.count > 1 else {
      return [LineChart.Series(name: group.name, colour: group.index, style: style, curve: first)]
    }
    let (mean, low, high) = Curve.envelope(curves)
    return [LineChart.Series(name: group.name, colour: group.index, style: style, curve: mean, band: (low, high))]
  }

  /// `validation_exact_match` as "Validation exact match".
  private func title(of name: String) -> String {
    let words = name.replacing("_", with: " ")
    return words.prefix(1).uppercased() + words.dropFirst()
  }
}
