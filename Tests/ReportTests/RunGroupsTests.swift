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

  @Test func names() {
    #expect(shortNames(["/a/x", "/b/y/"]) == ["x", "y"])
    #expect(shortNames(["/a/one/checkpoints", "/a/two/checkpoints"]) == ["one/checkpoints", "two/checkpoints"])
    #expect(shortNames(["/a/one/r", "/b/one/r", "/b/s"]) == ["a/one/r", "b/one/r", "s"])
    #expect(shortNames(["/a", "/a"]) == ["a", "a"] && shortNames(["/"]) == ["/"])
    #expect(shortNames(["/a/checkpoints"]) == ["a/checkpoints"])
  }
}
