// Runs of one configuration that differ only in their seeds, as one line of a comparison: means and intervals.
import Files
import Formatting
import Foundation

/// Runs that differ only in their seeds.
struct RunGroup {
  var runs: [ReportedRun]
  /// Its position in the page, which also determines its colour.
  var index: Int

  /// - Precondition: at least one run.
  var first: ReportedRun { runs[0] }

  /// The run's name; of several what their names share.
  private(set) var name = ""
  /// Whether the page has no other group.
  private(set) var isAlone = false

  /// The name, with its colour where there are others.
  var label: Markup {
    let colour: Markup? = isAlone ? nil : "<span class=\"key s\(index % LineChart.colours)\"></span>"
    return "\(colour)\(breakable(name))"
  }

  /// Groups in the order of their first runs.
  static func all(of runs: [ReportedRun]) -> [RunGroup] {
    var places: [[String]: Int] = [:]
    var groups: [RunGroup] = []
    for run in runs {
      let key = run.configuration.flatMap { [$0.key, $0.value] }
      if let place = places[key] {
        groups[place].runs.append(run)
      } else {
        places[key] = groups.count
        groups.append(RunGroup(runs: [run], index: groups.count))
      }
    }
    let shared = groups.map { group in
      (group.runs.count > 1 ? sharedName(group.runs.map(\.name)) : group.first.name).map { ExactString($0) }
    }
    for index in groups.indices {
      groups[index].isAlone = groups.count == 1
      let own = shared[index]
      let isUnique = own != nil && shared.count { $0 == own } == 1
      let (first, count) = (groups[index].first.name, groups[index].runs.count)
      groups[index].name =
        count == 1
        ? first : isUnique ? "\(own?.text ?? first), \(count) seeds" : "\(first) and \(plural(count - 1, "other seed"))"
    }
    return groups
  }

  /// The estimate of a value over those of the group's runs that have it.
  func estimate(_ value: (ReportedRun) -> Double?) -> Estimate? { Estimate(runs.compactMap(value)) }

  /// Settings in which this group differs from another, such as `adapter.rank 8`.
  func differences(from other: RunGroup) -> [String] {
    let theirs = Dictionary(other.first.configuration.map { ($0.key, $0.value) }) { $1 }
    let ours = Dictionary(first.configuration.map { ($0.key, $0.value) }) { $1 }
    // Settings that only the other kind of adapter has say nothing of this one.
    let isOtherKind = theirs["adapter.kind"] != ours["adapter.kind"]
    return Set(theirs.keys).union(ours.keys).sorted()
      .filter { key in theirs[key] != ours[key] && !(isOtherKind && ours[key] == nil && key.hasPrefix("adapter.")) }
      .map { key in "\(key) \(ours[key] ?? "absent")" }
  }
}

/// A mean and its uncertainty.
struct Estimate: Equatable {
  let mean: Double
  let count: Int
  /// Half the 95% interval of the mean by Student's t; nil for a single value, which has no spread.
  let margin: Double?

  /// Nil if there is no value, or if one is not finite.
  init?(_ values: [Double]) {
    guard !values.isEmpty, values.allSatisfy(\.isFinite) else { return nil }
    count = values.count
    mean = values.reduce(0, +) / Double(count)
    guard count > 1 else {
      margin = nil
      return
    }
    let mean = mean
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count - 1)
    margin = Self.quantile(degreesOfFreedom: count - 1) * (variance / Double(count)).squareRoot()
  }

  /// The difference of two independent means; its margin is the root of the sum of the squares of theirs.
  init(of value: Estimate, from other: Estimate) {
    (mean, count) = (value.mean - other.mean, min(value.count, other.count))
    let margins = [value.margin, other.margin].compactMap(\.self)
    margin = margins.isEmpty ? nil : margins.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  /// The mean and its margin in the same format; without a margin if all values are equal.
  func text(_ written: (Double) -> String) -> String {
    ([written(mean)] + [marginText(written)].compactMap(\.self)).joined(separator: " ")
  }

  /// The margin alone, such as `± 0.02`; nil if there is none.
  func marginText(_ written: (Double) -> String) -> String? {
    margin.flatMap { $0 > 0 ? "± \(written($0))" : nil }
  }

  /// Two-sided 95% quantile of Student's t.
  static func quantile(degreesOfFreedom: Int) -> Double {
    let table = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
      2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ]
    // Beyond the table, the first terms of Cornish and Fisher's expansion; the error is below a thousandth.
    let n = Double(degreesOfFreedom)
    return degreesOfFreedom <= table.count ? table[degreesOfFreedom - 1] : 1.95996 + 2.3722 / n + 2.8225 / (n * n)
  }
}
