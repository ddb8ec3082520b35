import Testing

@testable import Report

@Suite("Seeds of one configuration become a mean and an interval")
struct RunGroupsTests {
  @Test func estimates() throws {
    #expect(Estimate([]) == nil && Estimate([1, .nan]) == nil)
    let one = try #require(Estimate([0.4]))
    #expect(one.mean == 0.4 && one.margin == nil && one.text { fixed($0, 2) } == "0.40")
    // scipy.stats.t.interval(0.95, 2, loc=2, scale=sem([1, 2, 3])) is (-0.4841, 4.4841).
    let three = try #require(Estimate([1, 2, 3]))
    #expect(three.mean == 2)
    #expect(abs(try #require(three.margin) - 2.4841) < 1e-3)
    #expect(three.text { fixed($0, 1) } == "2.0 ± 2.5")
    #expect(Estimate([2, 2])?.text { fixed($0, 1) } == "2.0")
  }

  /// scipy.stats.t.ppf(0.975, n).
  @Test(arguments: [(1, 12.7062), (4, 2.7764), (30, 2.0423), (31, 2.0395), (60, 2.0003), (1000, 1.9623)])
  func quantiles(n: Int, value: Double) {
    #expect(abs(Estimate.quantile(degreesOfFreedom: n) - value) < 1e-3)
  }

  private func names(_ folders: [String], started: [String?] = []) -> [String] {
    runNames(
      folders.enumerated().map { index, folder in
        RunNaming(folder: folder, base: "Base-3B", started: index < started.count ? started[index] : nil)
      })
  }

  /// Folders name runs by their telling parts.
  @Test func namesOfFolders() {
    #expect(names(["/a/x", "/b/y/"]) == ["x", "y"])
    #expect(names(["/a/one/checkpoints", "/a/two/checkpoints"]) == ["one", "two"])
    #expect(names(["/a/lora/seed-0/checkpoints", "/a/image/seed-0/run"]) == ["lora/seed-0", "image/seed-0"])
    // The same letters in two Unicode forms are two names.
    #expect(names(["/a/\u{E9}", "/a/e\u{301}"]).map { $0.unicodeScalars.count } == [1, 2])
  }

  /// Where they say nothing or clash, base and date do; what clashes even then is numbered.
  @Test func namesOfBaseAndDate() {
    let (first, second) = ("2026-01-31T12:00:00Z", "2026-02-01T08:30:59Z")
    #expect(
      names(["/tmp/tmp.Xy/checkpoints", "/run"], started: [first, second])
        == ["Base-3B, 2026-01-31 12:00", "Base-3B, 2026-02-01 08:30"])
    #expect(
      names(["/1/x/one/r", "/2/x/one/r", "/b/s"], started: [first, second, first])
        == ["Base-3B, 2026-01-31 12:00", "Base-3B, 2026-02-01 08:30", "s"])
    #expect(
      names(["/runs", "/out", "/"], started: [first, "<b>"]) == ["Base-3B, 2026-01-31 12:00", "Base-3B", "Base-3B (2)"])
    #expect(names(["/a/x", "/a/x", "/a/x (2)"]) == ["x", "x (2)", "x (2) (2)"])
  }

  @Test func namesOfSeveralSeeds() {
    #expect(sharedName(["lora/seed-0", "lora/seed-1"]) == "lora")
    #expect(sharedName(["image-lora", "image-lora-seed-1"]) == "image-lora")
    #expect(
      sharedName(["alpha", "alpine"]) == nil && sharedName(["seed-0", "seed-1"]) == nil && sharedName([]) == nil)
    #expect(sharedName(["x", "x (2)"]) == "x")
  }

  /// A difference has its sign and its judgement; one within its interval is called unclear.
  @Test func differences() throws {
    func difference(_ values: [Double], less: Bool = false, _ format: Difference.Format) throws -> Difference {
      Difference(try #require(Estimate(values)), lessIsBetter: less, format)
    }
    let worse = try difference([0.25], less: true, .decimals(4))
    #expect(worse.judgement == .worse && worse.text == "+0.2500")
    #expect(worse.markup.source == "<span class=\"worse\">+0.2500 <em>worse</em></span>")
    #expect(try difference([-0.25], less: true, .decimals(4)).judgement == .better)
    let points = try difference([0.03, 0.032], .points)
    #expect(points.judgement == .better && points.text == "+3.1 ± 1.3\u{202F}points")
    #expect(try difference([0.1, -0.08], .points).judgement == .unclear)
    #expect(try difference([0.0001], .points).markup.source == "<span class=\"equal\">equal</span>")
    let (a, b) = (try #require(Estimate([1, 2])), try #require(Estimate([5])))
    #expect(Estimate(of: b, from: a).mean == 3.5 && Estimate(of: b, from: a).margin == a.margin)
  }
}
