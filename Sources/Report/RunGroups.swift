// Runs of one configuration that differ only in their seeds, as one line of a comparison: means and intervals.
import Formatting
import Foundation

/// Runs that differ only in their seeds.
struct RunGroup {
  var runs: [ReportedRun]
  /// Its position in the page, which also determines its colour.
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

  /// The estimate of a value over those of the group's runs that have it.
  func estimate(_ value: (ReportedRun) -> Double?) -> Estimate? { Estimate(runs.compactMap(value)) }

  /// Settings in which this group differs from another, such as `adapter.rank 8`.
  func differences(from other: RunGroup) -> [String] {
    let theirs = Dictionary(other.first.configuration.map { ($0.key, $0.value) }) { $1 }
    let ours = Dictionary(first.configuration.map { ($0.key, $0.value) }) { $1 }
    return Set(theirs.keys).union(ours.keys).sorted().filter { theirs[$0] != ours[$0] }.map { key in
      "\(key) \(ours[key] ?? "absent")"
    }
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

/// The shortest unique ends of paths; a folder with a generic name (`checkpoints`) is never a name by itself.
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
