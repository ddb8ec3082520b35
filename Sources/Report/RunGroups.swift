// Runs of one configuration that differ in their seed, as one line of a comparison: means and intervals.
import Formatting
import Foundation

/// Runs that differ in nothing but seeds.
struct RunGroup {
  var runs: [ReportedRun]
  /// Its colour in the page, and its place in it.
  var index: Int

  /// - Precondition: at least one run.
  var first: ReportedRun { runs[0] }

  var name: String {
    runs.count == 1 ? first.name : "\(first.name) and \(plural(runs.count - 1, "other seed"))"
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
    return groups
  }

  /// What a value is over the group's runs, those that have it.
  func estimate(_ value: (ReportedRun) -> Double?) -> Estimate? { Estimate(runs.compactMap(value)) }

  /// Settings in which this group is not like another, as `adapter.rank 8`.
  func differences(from other: RunGroup) -> [String] {
    let theirs = Dictionary(other.first.configuration.map { ($0.key, $0.value) }) { $1 }
    let ours = Dictionary(first.configuration.map { ($0.key, $0.value) }) { $1 }
    return Set(theirs.keys).union(ours.keys).sorted().filter { theirs[$0] != ours[$0] }.map { key in
      "\(key) \(ours[key] ?? "absent")"
    }
  }
}

/// A mean and how far it may be from the truth.
struct Estimate: Equatable {
  let mean: Double
  let count: Int
  /// Half the 95% interval of the mean by Student's t; nil for a single value, which says nothing of the spread.
  let margin: Double?

  /// Nil where there is no value or one is not finite.
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

  /// The mean and its margin, written alike; values that are all the same have none.
  func text(_ written: (Double) -> String) -> String {
    ([written(mean)] + [marginText(written)].compactMap(\.self)).joined(separator: " ")
  }

  /// The margin alone, as `± 0.02`; nil where there is none.
  func marginText(_ written: (Double) -> String) -> String? {
    margin.flatMap { $0 > 0 ? "± \(written($0))" : nil }
  }

  /// Two-sided 95% quantile of Student's t.
  static func quantile(degreesOfFreedom: Int) -> Double {
    let table = [
      12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
      2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
    ]
    // Beyond the table, Cornish and Fisher's first terms: off by less than a thousandth.
    let n = Double(degreesOfFreedom)
    return degreesOfFreedom <= table.count ? table[degreesOfFreedom - 1] : 1.95996 + 2.3722 / n + 2.8225 / (n * n)
  }
}

/// The shortest ends of paths that tell them apart; folders that say nothing (`checkpoints`) never stand alone.
func shortNames(_ paths: [String]) -> [String] {
  let parts = paths.map { path in
    URL(fileURLWithPath: path).standardizedFileURL.path.split(separator: "/").map(String.init)
  }
  return parts.indices.map { index in
    let own = parts[index]
    let least = own.last == "checkpoints" ? 2 : 1
    let length = (least...max(least, own.count)).first { length in
      parts.indices.allSatisfy { $0 == index || parts[$0] == own || parts[$0].suffix(length) != own.suffix(length) }
    }
    let name = own.suffix(length ?? own.count).joined(separator: "/")
    return name.isEmpty ? "/" : name
  }
}
