// The runs' curves: losses, other validation metrics, learning rate, gradient norm, speed and utilization.

/// Charts over steps.
struct CurvesSection {
  let groups: [RunGroup]

  var body: Markup? {
    let names = Set(groups.flatMap(\.runs).flatMap(\.log.validationMeasures)).sorted()
    let validations = names.map { name in
      MetricsLog.partsOfOne.contains(name)
        ? chart("\(title(of: name)), %", name, style: .dots, factor: 100)
        : chart(title(of: name), name, style: .dots)
    }
    let charts =
      losses + validations + [
        chart("Learning rate", "learning_rate"), gradientNorm,
        fromZero(chart("Tokens a second", "tokens_per_second")),
        fromZero(chart("Tokens a second and core", "tokens_per_second_per_core")),
        fromZero(chart("Utilization, %", "utilization", factor: 100)),
      ]
    let figures = charts.compactMap(\.figure)
    guard !figures.isEmpty else { return nil }
    // Two charts a row; three in the last one where their number is odd, so that no place stays empty.
    let style = figures.count == 1 ? " single" : figures.count % 2 == 1 ? " odd" : ""
    return "<div class=\"charts\(style)\">\(figures)</div>\n"
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

  private func chart(
    _ title: String, _ name: String, style: LineChart.Style = .line, factor: Double = 1
  ) -> LineChart {
    let chart = LineChart(
      title: title, series: groups.flatMap { series($0, name, style: style, factor: factor) }, note: seeds)
    return isSingle ? unnamed(chart) : chart
  }

  /// A chart of a speed, whose axis shows how near it is to none.
  private func fromZero(_ chart: LineChart) -> LineChart {
    var chart = chart
    chart.startsAtZero = true
    return chart
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
  private func series(
    _ group: RunGroup, _ name: String, style: LineChart.Style, factor: Double = 1
  ) -> [LineChart.Series] {
    let curves = group.runs.map { $0.log.curve(name).scaled(by: factor) }.filter { !$0.points.isEmpty }
    guard let first = curves.first else { return [] }
    guard curves.count > 1 else {
      return [LineChart.Series(name: group.name, colour: group.index, style: style, curve: first)]
    }
    let (mean, low, high) = Curve.envelope(curves)
    return [LineChart.Series(name: group.name, colour: group.index, style: style, curve: mean, band: (low, high))]
  }

  /// `validation_exact_match` as "Validation exact match".
  private func title(of name: String) -> String {
    let words = name.replacing("_", with: " ").replacing(" iou", with: " IoU")
    return words.prefix(1).uppercased() + words.dropFirst()
  }
}
