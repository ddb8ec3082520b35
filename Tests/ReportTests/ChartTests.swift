import Foundation
import Testing

@testable import Report

@Suite("Curves are drawn if possible, on axes with round numbers")
struct ChartTests {
  private func curve(_ values: [Double], from first: Int = 1) -> Curve {
    Curve(values.enumerated().map { CurvePoint(step: Double($0 + first), value: $1) })
  }

  private func count(_ part: String, in text: String) -> Int { text.components(separatedBy: part).count - 1 }

  @Test func linearTicks() {
    let scale = Scale(of: [0.36, 1.22])
    #expect(scale.ticks.map(scale.label) == ["0.2", "0.4", "0.6", "0.8", "1.0", "1.2", "1.4"])
    #expect(
      abs(scale.lowest - 0.2) < 1e-12 && abs(scale.highest - 1.4) < 1e-12 && abs(scale.place(of: 0.8) - 0.5) < 1e-12)
    let steps = Scale(of: [1, 480], ticks: 6, rounded: false)
    #expect(steps.lowest == 1 && steps.ticks.map(steps.label) == ["100", "200", "300", "400"])
    let thousands = Scale(of: [0, 12_000])
    #expect(thousands.ticks.map(thousands.label) == ["0", "2500", "5000", "7500", "10000", "12500"])
    let close = Scale(of: [5, 5.000_000_1])
    #expect(close.ticks.map(close.label).contains("5.000000050"))
    let small = Scale(of: [0, 2e-5])
    #expect(small.ticks.map(small.label) == ["0", "5e\u{2212}6", "1e\u{2212}5", "1.5e\u{2212}5", "2e\u{2212}5"])
  }

  /// Every value and every tick has a position on the axis, whatever the values.
  @Test(arguments: [[3.0], [0], [-2], [1e-12, 1e-12], [-1e30, 1e30], [5, 5.0000001], [], [.nan, .infinity]])
  func anyValues(values: [Double]) {
    let scale = Scale(of: values)
    #expect(scale.lowest < scale.highest && scale.ticks.count >= 2 && scale.ticks.count < 20)
    for value in values.filter({ Scale.isDrawable($0) }) + scale.ticks {
      #expect((-1e-6...1 + 1e-6).contains(scale.place(of: value)), "\(value) of \(values)")
    }
    #expect(Set(scale.ticks.map(scale.label)).count == scale.ticks.count)
  }

  @Test func logarithmicTicks() {
    let scale = Scale(.logarithmic, of: [0.03, 20, 0, -1])
    #expect(scale.ticks.map(scale.label) == ["0.01", "0.1", "1", "10", "100"])
    #expect(abs(scale.place(of: 1) - 0.5) < 1e-12)
    let one = Scale(.logarithmic, of: [1])
    #expect(one.lowest == 1 && one.highest == 10)
    #expect(Scale(.logarithmic, of: [0, .nan]).lowest < 1)
  }

  /// A single point is a dot; the axis around it has room.
  @Test func onePoint() throws {
    let chart = LineChart(title: "Loss", series: [.init(name: "run", colour: 0, curve: curve([2.5]))])
    let source = try #require(chart.figure).source
    #expect(count("<polyline", in: source) == 0)
    #expect(source.contains("<circle class=\"dot s0\"") && source.contains("step 1\nrun 2.500"))
  }

  /// Values that are not numbers are gaps; a curve without other values gives no chart.
  @Test func notANumber() throws {
    let gaps = LineChart(
      title: "Loss", series: [.init(name: "run", colour: 0, curve: curve([1, 2, .nan, 2, 1, .infinity, 1e300, 3]))])
    let source = try #require(gaps.figure).source
    #expect(count("<polyline", in: source) == 2)
    #expect(!source.lowercased().contains("nan") && !source.contains("inf"))
    #expect(LineChart(title: "Loss", series: [.init(name: "run", colour: 0, curve: curve([.nan]))]).figure == nil)
    #expect(LineChart(title: "Loss", series: [.init(name: "run", colour: 0, curve: curve([]))]).figure == nil)
    #expect(LineChart(title: "Loss", series: []).figure == nil)
    let negative = LineChart(
      title: "x", kind: .logarithmic, series: [.init(name: "a", colour: 0, curve: curve([-1, 0]))])
    #expect(negative.figure == nil)
  }

  @Test func hostileNames() throws {
    let name = "<script>alert(1)</script>\"'"
    let chart = LineChart(
      title: name,
      series: [
        .init(name: name, colour: 9, curve: curve([1, 2])), .init(name: "b", colour: 1, curve: curve([1, 3])),
      ],
      note: name)
    let source = try #require(chart.figure).source
    #expect(!source.contains("<script") && source.contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;"))
    #expect(source.contains("line s1 dash1"))
  }

  @Test func smoothing() {
    let line = curve((0..<50).map(Double.init))
    // A centred mean leaves a straight line as it is, also at the ends.
    #expect(zip(line.smoothed(window: 7).points, line.points).allSatisfy { abs($0.value - $1.value) < 1e-12 })
    #expect(curve([1, 5, 3]).smoothed(window: 3).points.map(\.value) == [1, 3, 3])
    let gap = curve([1, .nan, 3]).smoothed(window: 3).points.map(\.value)
    #expect(gap[0] == 1 && gap[1].isNaN && gap[2] == 3)
    #expect(curve([4]).smoothed(window: 9) == curve([4]) && curve([]).smoothed(window: 9) == curve([]))
  }

  /// Thinning keeps outliers.
  @Test func thinning() {
    var values = (0..<10_000).map { sin(Double($0) / 500) }
    values[7321] = 40
    values[1234] = -40
    let thin = curve(values).thinned(to: 200)
    #expect(thin.points.count <= 400 && thin.points.map(\.step) == thin.points.map(\.step).sorted())
    #expect(thin.points.contains(CurvePoint(step: 7322, value: 40)))
    #expect(thin.points.contains(CurvePoint(step: 1235, value: -40)))
    values[5000] = .nan
    #expect(curve(values).thinned(to: 200).segments(.linear).count == 2)
    #expect(curve([1, 2, 3]).thinned(to: 200) == curve([1, 2, 3]))
  }

  @Test func envelopes() {
    let (mean, low, high) = Curve.envelope([curve([1, 2, 3]), curve([3, 4], from: 2)])
    #expect(mean == curve([2.5, 3.5], from: 2) && low == curve([2, 3], from: 2) && high == curve([3, 4], from: 2))
  }

  /// Whatever two finite numbers are the ends, there are a few ticks with labels of their own.
  private func check(_ values: [Double], _ kind: Scale.Kind, rounded: Bool = true) {
    let scale = Scale(kind, of: values, rounded: rounded)
    #expect(scale.lowest < scale.highest && scale.ticks.count <= 12, "\(values)")
    #expect(!rounded || scale.ticks.count >= 2, "\(values)")
    for value in values.filter({ Scale.isDrawable($0, kind) }) + scale.ticks {
      #expect((-1e-6...1 + 1e-6).contains(scale.place(of: value)), "\(value) of \(values)")
    }
    #expect(Set(scale.ticks.map(scale.label)).count == scale.ticks.count, "\(values)")
  }

  @Test func extremeRanges() {
    let ends = [
      0, -0.0, .leastNonzeroMagnitude, -.leastNonzeroMagnitude, 2 * .leastNonzeroMagnitude,
      .leastNormalMagnitude.nextDown, 1e-31, 1e-30, 1e-5, 0.1, 1, 5, 999_999, 1e6, 1e6 + 1, 1e15, 1e30,
      -1e30,
      1e30.nextUp, 1e308, -1e308, .greatestFiniteMagnitude, .infinity, .nan,
    ]
    for low in ends {
      for values in [[low, low.nextUp], [low.nextDown, low]] + ends.map({ [low, $0] }) {
        check(values, .linear)
        check(values, .linear, rounded: false)
        check(values, .logarithmic)
      }
    }
  }

  @Test func randomRanges() {
    var state: UInt64 = 1
    func random() -> UInt64 {
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return state >> 11 | state << 53
    }
    for _ in 0..<20_000 {
      let a = Double(bitPattern: random())
      let part = Double(random() % 1_000_000)
      let b = [Double(bitPattern: random()), a.nextUp, -a, a * (1 + part * 1e-13), a * part][Int(random() % 5)]
      let c = part * Double(sign: .plus, exponent: Int(random() % 200) - 100, significand: 1)
      for values in [[a, b], [c, c * (1 + part * 1e-9)], [-c, c * 3]] {
        check(values, .linear)
        check(values, .linear, rounded: false)
        check(values, .logarithmic)
      }
    }
  }

  @Test(arguments: [
    [Double.leastNonzeroMagnitude, 2 * Double.leastNonzeroMagnitude], [1, 1.0.nextUp], [-0.0, 0], [-1e308, 1e308],
    [1e-308, 1e308], [1e30, -1e30],
  ])
  func extremeCurves(values: [Double]) {
    for kind in [Scale.Kind.linear, .logarithmic] {
      let chart = LineChart(title: "Loss", kind: kind, series: [.init(name: "a", colour: 0, curve: curve(values))])
      #expect((chart.figure?.source.utf8.count ?? 0) < 8000)
    }
  }
}
