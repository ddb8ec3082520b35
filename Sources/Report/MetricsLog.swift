// metrics.jsonl of a run, read line by line; lines that cannot be read are counted and left out.
import Foundation

/// All metrics of all steps.
struct MetricsLog {
  /// `[name][step]`; names as in the file.
  private var values: [String: [Int: Double]] = [:]
  /// The lines that were left out, and why.
  private(set) var problems: [String] = []
  /// Limits on steps and on names of metrics in one file, to bound time and memory.
  private static let maximumStep = 1 << 53
  private static let maximumNames = 64

  /// A number, or text that stands for one; nil for anything else.
  private struct Number: Decodable {
    var value: Double?

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let number = try? container.decode(Double.self) {
        value = number
      } else if let text = try? container.decode(String.self), ["nan", "inf", "infinity"].contains(text.lowercased()) {
        value = .nan
      }
    }
  }

  init(_ data: Data) {
    let decoder = JSONDecoder()
    // Python writes NaN and Infinity without quotes.
    decoder.allowsJSON5 = true
    for (index, bytes) in data.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).enumerated()
    where bytes.contains(where: { ![0x20, 0x09, 0x0D].contains($0) }) {
      // Foundation's reader of JSON5 ends the process at bytes that are not UTF-8.
      guard String(validating: bytes, as: UTF8.self) != nil,
        let entry = try? decoder.decode([String: Number].self, from: Data(bytes))
      else {
        problems.append("line \(index + 1) is no JSON object of numbers")
        continue
      }
      guard let step = entry["step"]?.value, step >= 0, step < Double(Self.maximumStep), step == step.rounded() else {
        problems.append("line \(index + 1) has no step")
        continue
      }
      // In order, since the first names count where there are too many.
      for (name, number) in entry.sorted(by: { $0.key < $1.key }) where name != "step" {
        guard let value = number.value, values[name] != nil || values.count < Self.maximumNames else { continue }
        // The later line of a step counts: a resumed run repeated the step.
        values[name, default: [:]][Int(step)] = value
      }
    }
  }

  var isEmpty: Bool { values.isEmpty }

  /// A metric over the steps that have it.
  func curve(_ name: String) -> Curve {
    Curve((values[name] ?? [:]).sorted { $0.key < $1.key }.map { CurvePoint(step: Double($0.key), value: $0.value) })
  }

  /// Names of validation metrics other than loss and counts, such as `validation_accuracy`.
  var validationMeasures: [String] {
    values.keys.filter {
      $0.hasPrefix("validation_")
        && !["validation_loss", "validation_rows", "validation_tokens", "validation_answers"].contains($0)
    }.sorted()
  }

  /// Validation metrics that are parts of 1, of which more is better.
  static let partsOfOne = [
    "validation_point_in_box", "validation_iou", "validation_exact_match", "validation_score",
  ]

  /// The lowest validation loss after a step, and that step.
  var lowestValidationLoss: CurvePoint? {
    curve("validation_loss").points.filter { $0.step > 0 && Scale.isDrawable($0.value) }.min { $0.value < $1.value }
  }

  /// The validations that a run's change is told from: the first one and the one of the lowest loss, or where that is
  /// the first, the last one; nil where there are not two.
  var startAndEnd: (start: Double, end: Double)? {
    let losses = curve("validation_loss").points.filter { Scale.isDrawable($0.value) }
    guard losses.count > 1, let start = losses.first, let best = lowestValidationLoss else { return nil }
    return (start.step, best.step > start.step ? best.step : losses[losses.count - 1].step)
  }

  /// Medians over the steps, in seconds and examples/s. The first step is left out if there are others: it warms up.
  var times: (step: Double, reduce: Double, examplesPerSecond: Double)? {
    let (compute, reduce, examples) = (curve("compute_seconds"), curve("reduce_seconds"), curve("rows"))
    let waits = Dictionary(reduce.points.map { ($0.step, $0.value) }) { $1 }
    let counts = Dictionary(examples.points.map { ($0.step, $0.value) }) { $1 }
    let steps = compute.points.compactMap { point -> (total: Double, reduce: Double, examples: Double)? in
      guard let wait = waits[point.step], let count = counts[point.step], point.value > 0, wait >= 0, count > 0,
        (point.value + wait + count).isFinite
      else { return nil }
      return (point.value + wait, wait, count)
    }
    let warm = steps.count > 1 ? Array(steps.dropFirst()) : steps
    guard !warm.isEmpty else { return nil }
    func median(_ values: [Double]) -> Double { values.sorted()[values.count / 2] }
    return (median(warm.map(\.total)), median(warm.map(\.reduce)), median(warm.map { $0.examples / $0.total }))
  }
}
