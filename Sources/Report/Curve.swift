// A sequence of values over steps, prepared for a line: smoothed, thinned to what is visible, split at gaps.

/// The value of one step.
struct CurvePoint: Equatable {
  var step: Double
  var value: Double
}

/// Values over steps, steps ascending.
struct Curve: Equatable {
  var points: [CurvePoint]

  init(_ points: [CurvePoint]) { self.points = points }

  /// The value of a step; nil where there is none that can be drawn.
  func value(at step: Double) -> Double? {
    points.first { $0.step == step && Scale.isDrawable($0.value) }?.value
  }

  /// The last value as a count; nil where it is none.
  var lastCount: Int? { points.last.flatMap { Int(exactly: $0.value) } }

  /// The same with all values multiplied.
  func scaled(by factor: Double) -> Curve {
    Curve(points.map { CurvePoint(step: $0.step, value: factor * $0.value) })
  }

  /// Sequences of consecutive values that can be drawn; a value that cannot be drawn ends a sequence.
  func segments(_ kind: Scale.Kind) -> [[CurvePoint]] {
    points.split { !Scale.isDrawable($0.value, kind) || !Scale.isDrawable($0.step) }.map(Array.init)
  }

  /// Centred means over `window` values, fewer at the ends; a value that cannot be drawn stays a gap.
  func smoothed(window: Int) -> Curve {
    let half = max(window, 1) / 2
    guard half > 0 else { return self }
    // Prefix sums of the values that can be drawn.
    var (sums, counts) = ([0.0], [0])
    for point in points {
      let drawn = Scale.isDrawable(point.value)
      sums.append(sums[sums.count - 1] + (drawn ? point.value : 0))
      counts.append(counts[counts.count - 1] + (drawn ? 1 : 0))
    }
    return Curve(
      points.indices.map { index in
        guard Scale.isDrawable(points[index].value) else { return points[index] }
        // The same reach on both sides, so that means at the ends are not biased.
        let reach = min(half, index, points.count - 1 - index)
        let (first, end) = (index - reach, index + reach + 1)
        let mean = (sums[end] - sums[first]) / Double(counts[end] - counts[first])
        return CurvePoint(step: points[index].step, value: mean)
      })
  }

  /// A window that leaves about forty independent means.
  var usualWindow: Int { points.count < 20 ? 1 : max(3, points.count / 40 * 2 + 1) }

  /// At most about `2 * count` points: the least and the greatest value of every part, in order; gaps stay.
  func thinned(to count: Int) -> Curve {
    guard points.count > 2 * count else { return self }
    var kept: [CurvePoint] = []
    for part in 0..<count {
      let slice = points[part * points.count / count..<(part + 1) * points.count / count]
      if let gap = slice.first(where: { !Scale.isDrawable($0.value) }) { kept.append(gap) }
      let drawn = slice.indices.filter { Scale.isDrawable(slice[$0].value) }
      guard let low = drawn.min(by: { slice[$0].value < slice[$1].value }),
        let high = drawn.max(by: { slice[$0].value < slice[$1].value })
      else { continue }
      for index in Set([low, high]).sorted() { kept.append(slice[index]) }
    }
    return Curve(kept.sorted { $0.step < $1.step })
  }

  /// Mean, minimum and maximum of several curves, at the steps that all of them have.
  static func envelope(_ curves: [Curve]) -> (mean: Curve, low: Curve, high: Curve) {
    let tables = curves.map { curve in Dictionary(curve.points.map { ($0.step, $0.value) }) { $1 } }
    let steps = (curves.first?.points ?? []).map(\.step).filter { step in tables.allSatisfy { $0[step] != nil } }
    func curve(_ combine: ([Double]) -> Double) -> Curve {
      Curve(steps.map { step in CurvePoint(step: step, value: combine(tables.compactMap { $0[step] })) })
    }
    // Explicit folds, because min() and max() do not propagate NaN.
    return (
      curve { $0.reduce(0, +) / Double($0.count) }, curve { $0.reduce(.infinity, Double.minimum) },
      curve { $0.reduce(-.infinity, Double.maximum) }
    )
  }
}
