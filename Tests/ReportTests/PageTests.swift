import Adapters
import Artifacts
import Costs
import Evaluation
import Foundation
import TestSupport
import Testing
import TinyModels

@testable import Report

@Suite("A page from a run's folder shows what exists and names what is missing")
struct PageTests {
  private let temporary: TemporaryFolder
  private var folder: String { temporary.path("run") }
  init() throws { temporary = try TemporaryFolder() }

  private func make(_ files: [String: String]) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
  }

  private func page(title: String? = nil) throws -> ReportPage {
    try ReportPage(folders: [folder], predictions: [], title: title, examples: 4)
  }

  private let run = "model: {path: <b>nowhere</b>}\ndata: {train: rows.jsonl}\ntraining: {steps: 3, seed: 7}\n"

  @Test func noRun() throws {
    #expect(line { _ = try page() }.hasSuffix("there is no such folder; give the folder of a run's checkpoints"))
    try make([:])
    #expect(line { _ = try page() }.contains("is no run: it has no run.yaml"))
    try make(["run.yaml": run])
    #expect(line { _ = try page() }.contains("is no run: it has neither metrics.jsonl nor checkpoints"))
    try make(["metrics.jsonl": "", "run.yaml": "nonsense: 1\n"])
    #expect(line { _ = try page() }.contains("unknown key nonsense"))
  }

  @Test(arguments: [
    #"{"step":1,"loss":5e-324}"# + "\n" + #"{"step":2,"loss":1e-323}"#,
    #"{"step":1,"loss":1e308,"compute_seconds":1e308}"# + "\n" + #"{"step":2,"loss":-1e308,"rows_per_second":1e308}"#,
    #"{"step":9007199254740990,"loss":1}"# + "\n" + #"{"step":9007199254740991,"loss":1.0000000000000002}"#,
    #"{"step":1,"loss":-0.0,"validation_loss":4e-320,"gradient_norm":1e-310}"#,
  ])
  func extremeMetrics(lines: String) throws {
    try make(["run.yaml": run, "metrics.jsonl": lines + "\n"])
    var bytes = 0
    let time = try threadTime { bytes = try page().html.utf8.count }
    #expect((1...100_000).contains(bytes))
    #expect(time < .seconds(2))
  }

  /// With an empty log, no checkpoint and no examples there is still a page, which states what it lacks.
  @Test func almostNothing() throws {
    try make(["run.yaml": run, "metrics.jsonl": ""])
    let page = try page(title: "</title><script>x</script>")
    let html = page.html
    #expect(!html.contains("<script") && !html.contains("<b>nowhere") && html.contains("&lt;/title&gt;&lt;script&gt;"))
    for part in [
      "curves and times", "adapter and heads", "lengths of the training examples", "answers", "sessions.jsonl",
    ] {
      #expect(page.omissions.contains { $0.contains(part) }, "\(part)")
    }
    #expect(html.contains("id=\"omissions\"") && html.contains("id=\"facts\"") && !html.contains("id=\"curves\""))
    #expect(!html.contains("http://") && !html.contains("https://") && !html.contains("src="))
  }

  @Test func curvesAndAnswers() throws {
    let prediction =
      #"{"id":"<i>","model":"adapted","group":{"<k>":"<g>"},"prompt":"<|im_start|>user\nWhat?<|im_end|>\n","reference":"a","#
      + #""prediction":"</figure>","finished":true,"exact_match":false,"nll":1,"tokens":2,"likeliest_tokens":1}"#
    try make([
      "run.yaml": run, "predictions.jsonl": prediction + "\n",
      "metrics.jsonl": "{\"step\":1,\"loss\":2}\n{\"step\":2,\"loss\":1}\n{\"step\":2,\"validation_loss\":1}\nbroken\n",
      "sessions.jsonl":
        "{\"started\":\"<2026>\",\"after_step\":0,\"world_size\":2,\"threads\":1,\"precision\":\"fp32\",\"version\":\"1\"}\n",
    ])
    let html = try page().html
    for part in [
      "<polyline", "&lt;/figure&gt;", "&lt;g&gt;", "&lt;k&gt;", "&lt;2026&gt;", "line 4 is no JSON object", "1.0000",
    ] {
      #expect(html.contains(part), "\(part)")
    }
    try make(["predictions.jsonl": prediction + "\n" + prediction + "\n"])
    #expect(line { _ = try page() }.contains("line 2: a second prediction of this model for this example"))
    try make(["predictions.jsonl": "{}\n"])
    #expect(line { _ = try page() }.contains("predictions.jsonl: line 1: is not a prediction"))
  }

  /// A checkpoint alone gives adapter, heads and costs.
  @Test func checkpointAlone() throws {
    try make(["run.yaml": run])
    let selection = HeadSelection.influence(
      scores: [[1, 2], [0, 0], [4, 3]], numHeads: 3, tau: 0.5, method: "influence/gate")
    let adapter = ImageLoRA<Float>(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .inverseSqrtSelected, kvIndices: selection.adapted),
      text: .tiny)
    let provenance = AdapterProvenance(
      baseDigest: "digest-of-base", templateDigest: "t", minPixels: 3136, maxPixels: 602_112)
    var state = TrainingState(
      startOf: RunIdentity(digest: "digest-of-run", yaml: run, seed: 7, worldSize: 2, provenance: provenance),
      adapter: adapter, selection: selection)
    state.optimizer.step = 3
    (state.epoch, state.consumedExamples, state.best) = (1, 24, .init(step: 3, loss: 1.25))
    let store = CheckpointStore(directory: folder, keep: 2)
    try store.save(state)
    let page = try page()
    let html = page.html
    for part in [
      "digest-of-run", "digest-of-base", "1.2500", "influence/gate", "3 of 6 KV heads in 2 layers", "3,136 to 602,112",
    ] {
      #expect(html.contains(part), "\(part)")
    }
    // A multiply-add for each parameter of A and B: 2 layers of 8 x 2, three heads of 2 x 4.
    let costs = AdapterCosts(adapter.layout)
    #expect(costs.flopsPerToken == 2 * (2 * 16 + 3 * 8) && costs.trainable == 58)
    // A damaged checkpoint is left out by name.
    var bytes = try Data(contentsOf: URL(fileURLWithPath: store.path(step: 3)))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: store.path(step: 3)))
    let without = try self.page()
    #expect(without.omissions.contains { $0.contains("damaged") } && !without.html.contains("class=\"heat\""))
  }
}
