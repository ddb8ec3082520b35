import Foundation
import TestSupport
import Testing

@testable import Report

@Suite("Runs are compared where they were measured on the same examples, and what got worse is said")
struct RunsTests {
  private let temporary: TemporaryFolder
  init() throws { temporary = try TemporaryFolder() }

  /// A run's folder with its metrics, its answers and its validation examples.
  private func make(
    _ name: String, seed: Int = 0, rank: Int = 8, validation: String? = nil, metrics: [String], answers: [String] = []
  ) throws -> String {
    let folder = temporary.path(name)
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    func write(_ text: String, to file: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(file)"))
    }
    let rows = validation.map { "\(folder)/\($0).jsonl" }
    try write(
      """
      model: {path: /nowhere/base}
      data: {train: rows.jsonl\(rows.map { ", validation: \($0)" } ?? "")}
      adapter: {rank: \(rank)}
      training: {steps: 3, seed: \(seed)}

      """, to: "run.yaml")
    try write(metrics.joined(separator: "\n") + "\n", to: "metrics.jsonl")
    if !answers.isEmpty { try write(answers.joined(separator: "\n") + "\n", to: "predictions.jsonl") }
    if let validation {
      try write(
        #"{"id":"\#(validation)","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]}"#
          + "\n",
        to: "\(validation).jsonl")
    }
    return folder
  }

  private func validation(_ step: Int, _ loss: Double, rows: Int = 4, tokens: Int = 9, _ more: String = "") -> String {
    #"{"step":\#(step),"validation_loss":\#(loss),"validation_rows":\#(rows),"validation_tokens":\#(tokens)\#(more)}"#
  }

  private func answer(_ id: String, _ model: String, right: Bool, question: String = "What?") -> String {
    #"{"id":"\#(id)","model":"\#(model)","prompt":"<|im_start|>user\n\#(question)<|im_end|>\n","reference":"a","#
      + #""prediction":"a","finished":true,"exact_match":\#(right),"nll":1,"tokens":2,"likeliest_tokens":1}"#
  }

  private func html(_ folders: [String]) throws -> String {
    try ReportPage(folders: folders, predictions: [], title: nil, examples: 0).html
  }

  /// The comparison alone.
  private func comparison(_ folders: [String]) throws -> String {
    let page = try html(folders)
    return String(page.split(separator: "<section id=\"")[1])
  }

  @Test func theSameExamplesHaveABest() throws {
    let folders = [
      try make("one", validation: "same", metrics: [validation(2, 1.5)]),
      try make("two", rank: 4, validation: "same", metrics: [validation(2, 1.25)]),
    ]
    let comparison = try comparison(folders)
    #expect(comparison.contains("<b>1.2500</b>") && !comparison.contains("<b>1.5000</b>"))
    #expect(comparison.contains("<span class=\"better\">\u{2212}0.2500 <em>better</em></span>"))
    #expect(comparison.contains("Bold is the best") && !comparison.contains("Nothing is bold"))
  }

  /// Other digests, other numbers of examples, other tokens, other questions: no best, no differences, and a reason.
  @Test(arguments: [
    ("digest", "the runs were validated on different examples: one on 4 examples ("),
    ("count", "the runs were validated on different examples: one on 4 examples, two on 5 examples"),
    ("tokens", "the same validation examples have other tokens in other runs: one on 9 tokens, two on 8 tokens"),
    ("answers", "the runs answered different examples: one on 1 example ("),
  ])
  func otherExamplesHaveNone(difference: String, reason: String) throws {
    let (isDigest, isAnswers) = (difference == "digest", difference == "answers")
    let folders = [
      try make(
        "one", validation: isDigest ? "these" : nil, metrics: [validation(2, 1.5)],
        answers: isAnswers ? [answer("1", "adapted", right: true)] : []),
      try make(
        "two", rank: 4, validation: isDigest ? "others" : nil,
        metrics: [validation(2, 1.25, rows: difference == "count" ? 5 : 4, tokens: difference == "tokens" ? 8 : 9)],
        answers: isAnswers ? [answer("1", "adapted", right: false, question: "Where?")] : []),
    ]
    let comparison = try comparison(folders)
    #expect(comparison.contains("Nothing is bold: \(reason)"), "\(comparison)")
    #expect(!comparison.contains("<b>") && !comparison.contains("class=\"better\""))
  }

  /// A metric that fell while the loss fell is said first; metrics of step 0 are the start.
  @Test func whatGotWorse() throws {
    let start = validation(0, 2, #","validation_exact_match":0.25,"validation_point_in_box":0.5"#)
    let end = validation(4, 1, #","validation_exact_match":0.5,"validation_point_in_box":0.375"#)
    let page = try html([try make("one", metrics: [start, validation(2, 1.5), end, validation(6, 1.75)])])
    #expect(
      page.contains(
        "point in box got <span class=\"worse\"><em>worse</em>, \u{2212}12.5\u{202F}points</span> (50.0\u{202F}% to "
          + "37.5\u{202F}%), while the validation loss fell by 1.0000."))
    #expect(page.contains("0 → 4") && page.contains("+25.0\u{202F}points <em>better</em>"))
    #expect(!page.contains("exact match got"))
    // Where the loss never fell, the end is the last validation.
    let never = try html([try make("two", metrics: [validation(0, 1), validation(2, 2)])])
    #expect(
      never.contains("0 → 2") && never.contains("+1.0000 <em>worse</em>") && !never.contains("class=\"warnings\""))
    let once = try html([try make("three", metrics: [validation(2, 2)])])
    #expect(!once.contains("id=\"validation\""))
  }

  /// Charts of what is there, and none of what is not; the last row of an odd number has three.
  @Test func charts() throws {
    func step(_ step: Int, _ more: String) -> String { #"{"step":\#(step),"loss":1\#(more)}"# }
    let speed = #","tokens_per_second":90,"learning_rate":0.1,"utilization":0.5,"tokens_per_second_per_core":45"#
    let all = try html([try make("one", metrics: [step(1, speed), step(2, speed)])])
    for title in ["Loss", "Learning rate", "Tokens a second", "Tokens a second and core", "Utilization, %"] {
      #expect(all.contains("<h3>\(title)</h3>"), "\(title)")
    }
    #expect(all.contains("class=\"charts odd\"") && all.contains("step 2\nUtilization, % 50.00"))
    let old = try html([try make("two", metrics: [step(1, #","tokens_per_second":90"#)])])
    #expect(old.contains("class=\"charts\"") && old.contains("Tokens a second<") && !old.contains("Utilization"))
    #expect(try html([try make("three", metrics: [step(1, "")])]).contains("class=\"charts single\""))
  }

  /// The adapted model against the base, by metric; answers to other questions are not compared.
  @Test func againstBase() throws {
    let base = [answer("1", "base", right: false), answer("2", "base", right: true)]
    let adapted = [answer("1", "adapted", right: true), answer("2", "adapted", right: true)]
    let page = try html([try make("one", metrics: [], answers: base + adapted)])
    #expect(page.contains("against base") && page.contains("+50.0\u{202F}points <em>better</em>"))
    let other = try html([try make("two", metrics: [], answers: base + [adapted[0]])])
    #expect(!other.contains("against base") && other.contains("These models answered different examples"))
  }
}
