// Whether runs were measured on the same examples: only then can one of them be the best.
import Digests
import Evaluation
import Files
import Formatting

/// The examples that a run's quality was measured on, as far as its files tell.
struct MeasuredOn {
  /// Of the validation examples; nil where they cannot be read.
  var digest: String?
  /// Validation examples and their supervised tokens, by the log.
  var examples, tokens: Int?
  /// SHA-256 over ids and questions of the adapted model's answers, and their number; nil without answers.
  var answers: (digest: String, count: Int)?

  init(_ run: ReportedRun) {
    digest = run.validationDigest
    examples = run.log.curve("validation_rows").lastCount
    tokens = run.log.curve("validation_tokens").lastCount
    let lines = run.predictions(of: "adapted")
    answers = lines.isEmpty ? nil : (Self.digest(of: lines), lines.count)
  }

  /// SHA-256 over what was asked: ids, and questions without earlier turns, in any order.
  static func digest(of lines: [PredictionLine]) -> String {
    let asked = lines.map { line in
      let question = lastTurn(ofPrompt: line.prompt ?? "")
      return ExactString("\(line.id.utf8.count) \(line.id) \(question.utf8.count) \(question)\n")
    }
    return SHA256.hex(asked.sorted().map(\.text).joined())
  }
}

/// Why values of quality cannot be ranked, in a sentence; nil where the files tell no difference.
func incomparability(_ runs: [ReportedRun]) -> String? {
  guard runs.count > 1 else { return nil }
  let measured = runs.map { (name: $0.name, on: MeasuredOn($0)) }
  let validated = measured.filter { $0.on.examples != nil }
  func differ<T: Hashable>(_ values: [T?]) -> Bool { Set(values.compactMap(\.self)).count > 1 }
  /// A few runs and what each was measured on.
  func listing(_ items: [(name: String, what: String)]) -> String {
    items.prefix(4).map { "\($0.name) on \($0.what)" }.joined(separator: ", ")
      + (items.count > 4 ? " and \(items.count - 4) more" : "")
  }
  if differ(validated.map(\.on.digest)) || differ(validated.map(\.on.examples)) {
    let sets = validated.map { run in
      let digest = run.on.digest.map { " (\($0.prefix(8)))" } ?? ""
      return (run.name, plural(run.on.examples ?? 0, "example") + digest)
    }
    return "the runs were validated on different examples: \(listing(sets))"
  }
  if differ(validated.map(\.on.tokens)) {
    let sets = validated.map { ($0.name, plural($0.on.tokens ?? 0, "token")) }
    return "the same validation examples have other tokens in other runs: \(listing(sets))"
  }
  let answered = measured.filter { $0.on.answers != nil }
  if differ(answered.map { $0.on.answers?.digest }) {
    let sets = answered.map { run in
      (run.name, "\(plural(run.on.answers?.count ?? 0, "example")) (\(run.on.answers?.digest.prefix(8) ?? ""))")
    }
    return "the runs answered different examples: \(listing(sets))"
  }
  return nil
}
