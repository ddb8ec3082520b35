// Whole examples through a model: the same results for any number of ranks, and the metrics over them.
import Adapters
import Collectives
import Datasets
import Foundation
import TestSupport
import Files
import QwenVL
import Testing
import TinyModels
import Batches

@testable import Evaluation

@Suite("Evaluation of examples")
struct EvaluatorTests {
  @Test("results are the same bits for 1, 2, 3 and 5 ranks, 5 being more than examples")
  func rankInvariance() throws {
    let model = try TinyModel()
    let folder = model.folder
    let alone = try Self.results(folder, SingleProcess())
    for size in [2, 3, 5] {
      let found = runOnRanks(size) { communicator in
        (results: try Self.results(folder, communicator), sums: communicator.traffic.sumCalls)
      }
      for rank in found {
        #expect(try rank.get().results == alone)
        #expect(try rank.get().sums == 0, "evaluation adds nothing up over ranks")
      }
    }
    withExtendedLifetime(model) {}
  }

  private static func results(_ folder: String, _ communicator: any Communicator) throws -> [[ExampleResult]] {
    try evaluate(folder, communicator) { examples, tokens, evaluator, adapters in
      try evaluator.results(examples, tokens: tokens, adapters: adapters, communicator: communicator)
    }
  }

  @Test("where one rank is asked to stop, all leave with the examples that are done, the same bits as ever")
  func stopped() throws {
    let model = try TinyModel()
    let folder = model.folder
    let alone = try Self.results(folder, SingleProcess())
    var counts: Set<Int> = []
    for (size, asked) in [(1, 0), (2, 0), (2, 1), (3, 2)] {
      for batches in 0...1 {
        let found = runOnRanks(size) { communicator in
          var done = 0
          return try Self.evaluate(folder, communicator) { examples, tokens, evaluator, adapters in
            try evaluator.results(
              examples, tokens: tokens, adapters: adapters, communicator: communicator,
              stopping: { communicator.rank == asked && done >= batches },
              onProgress: { finished, _ in done = finished })
          }
        }
        let first = try found[0].get()
        for rank in found { #expect(try rank.get() == first) }
        let finished = first[0].indices.filter { first[0][$0] != nil }
        counts.insert(finished.count)
        if batches == 0 { #expect(finished.isEmpty) }
        for column in first.indices {
          #expect(first[column].indices.filter { first[column][$0] != nil } == finished)
          for example in finished { #expect(first[column][example] == alone[column][example]) }
        }
      }
    }
    #expect(counts.contains { $0 > 0 && $0 < alone[0].count }, "some evaluation was stopped in its middle")
    let file = EvaluationInterrupted.file(beside: "a.jsonl")
    let error = EvaluationInterrupted(finished: 3, total: 9, file: file)
    #expect(error.description.contains("3 of 9") && error.description.contains("a.jsonl.incomplete"))
    #expect(error.exitStatus == ExitStatus.failed)
    withExtendedLifetime(model) {}
  }

  /// Opens the tiny model on a rank for an evaluation.
  private static func evaluate<Value>(
    _ folder: String, _ communicator: any Communicator,
    _ body: ([Example], (ImageGroup) -> Int, Evaluator, [(any ProjectionAdapter<Float>)?]) throws -> Value
  ) throws -> Value {
    let base = try BaseModel(folder: folder)
    let samples = try base.sampleBuilder(maxLength: 512)
    return try body(
      TinyExamples.examples(), { $0.examples.reduce(0) { $0 + 10 - $1 } },
      Evaluator(base: base, samples: samples, maxNewTokens: 6), [nil, TinyModel.adapter(for: base)])
  }

  @Test("losses are those of training's forward pass over an image group; text-only examples do not see the adapter")
  func losses() throws {
    let model = try TinyModel()
    let base = try model.base()
    let samples = try base.sampleBuilder(maxLength: 512)
    let rows = try TinyExamples.examples()
    let adapter = TinyModel.adapter(for: base)
    func results(maxNewTokens: Int?) throws -> [[ExampleResult]] {
      try Evaluator(base: base, samples: samples, maxNewTokens: maxNewTokens).results(
        rows, tokens: { $0.examples.count }, adapters: [nil, adapter], communicator: SingleProcess())
    }
    let (scored, answered) = (try results(maxNewTokens: nil), try results(maxNewTokens: 3))
    for unit in [[0, 1, 2], [3]] {
      let given = try unit.map { try samples.sample(for: rows[$0]) }
      let features = try base.featureStore.features(of: rows[unit[0]], sample: given[0])
      for (column, adapter) in [(0, nil), (1, adapter)] as [(Int, ImageLoRA<Float>?)] {
        let packed = base.loss(PackedBatch(given, features: features), adapter: adapter)
        for (place, row) in unit.enumerated() {
          let (result, other) = (scored[column][row], answered[column][row])
          let loss = packed[place]
          #expect((loss.nll, loss.tokens, loss.top1) == (result.nll, result.tokens, result.top1))
          #expect(result.answer == nil && other.answer != nil)
          // Alone, and next to its own prompt, an example has the same numbers but for rounding.
          let alone = base.loss(PackedBatch([given[place]], features: features), adapter: adapter)[0]
          for nll in [alone.nll, other.nll] { #expect(abs(nll - result.nll) < 1e-5 * result.nll) }
          #expect((alone.tokens, other.tokens) == (result.tokens, result.tokens))
          #expect((alone.top1, other.top1) == (result.top1, result.top1))
        }
      }
    }
    for found in [scored, answered] {
      for row in rows.indices { #expect((found[0][row] == found[1][row]) == rows[row].images.isEmpty) }
    }
  }

  @Test("batches have every example once, in bounds, groups whole, text by itself; without answers a group is a batch")
  func batches() {
    func example(_ image: Int?) -> Example {
      Example(id: "r", line: 1, images: image.map { [.file("\($0)")] } ?? [], messages: [])
    }
    // 40 examples about one image, 30 about one each, 20 of text between them.
    var examples: [Example] = []
    for image in 0..<30 { examples += [example(100), example(image)] }
    for _ in 0..<10 { examples += [example(nil), example(nil), example(100)] }
    for (newTokens, length) in [(0, 10), (64, 10), (64, 2000), (9000, 10)] {
      let batches = Batch.all(of: examples, newTokens: newTokens) { $0.examples.count * length }
      #expect(batches.flatMap(\.examples).sorted() == Array(examples.indices))
      for batch in batches {
        #expect(Set(batch.examples.map { examples[$0].images.isEmpty }).count == 1)
        for group in batch.groups { #expect(Set(group.examples.map { examples[$0].images }).count == 1) }
        #expect(batch.tokens == batch.examples.count * (length + newTokens))
        #expect(batch.examples.count <= 16 && (batch.tokens <= 8192 || batch.examples.count == 1))
        #expect(newTokens > 0 || batch.groups.count == 1)
      }
    }
    let sizes = Batch.all(of: examples, newTokens: 64) { $0.examples.count * 10 }.map(\.examples.count)
    #expect(sizes == [16, 16, 16, 14, 8, 16, 4])
  }

  @Test("answers carry prompt and reference, and places only where examples ask for them")
  func answers() throws {
    let model = try TinyModel()
    let results = try Self.results(model.folder, SingleProcess())[0]
    let answers = results.compactMap(\.answer)
    #expect(answers.count == 4)
    #expect(answers.map { $0.place != nil } == [true, true, false, false])
    #expect(answers[0].place?.iou != nil && answers[1].place?.iou == nil)
    #expect(answers[2].reference == "red")
    #expect(
      answers[2].prompt
        == "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n"
        + "<|vision_start|><|image_pad|><|vision_end|>Colour?<|im_end|>\n<|im_start|>assistant\n")
  }

  private func result(
    nll: Double, tokens: Int, top1: Int, exact: Bool? = nil, hit: Bool? = nil, iou: Double? = nil
  ) -> ExampleResult {
    ExampleResult(
      nll: nll, tokens: tokens, top1: top1,
      answer: exact.map {
        ExampleResult.Answer(
          prompt: "p", reference: "r", prediction: "q", finished: true, exactMatch: $0,
          place: hit.map { PlaceScore(pointInBox: $0, iou: iou) })
      })
  }

  @Test("metrics weigh tokens, not examples, and means are over the examples that they are about")
  func metrics() throws {
    let metrics = Metrics([
      result(nll: 6, tokens: 2, top1: 1, exact: true, hit: true, iou: 0.5),
      result(nll: 2, tokens: 6, top1: 6, exact: false, hit: false, iou: 0.25),
      result(nll: 0, tokens: 2, top1: 0, exact: false, hit: true),
      result(nll: 2, tokens: 10, top1: 3, exact: false),
    ])
    #expect(metrics.loss == 0.5 && metrics.perplexity == exp(0.5) && metrics.tokenAccuracy == 0.5)
    #expect(metrics.exactMatch.value == 0.25 && metrics.exactMatch.count == 4)
    #expect(metrics.pointInBox.value == 2.0 / 3 && metrics.pointInBox.count == 3)
    #expect(metrics.iouAtHalf.value == 0.5 && metrics.iouAtHalf.count == 2 && metrics.meanIoU.value == 0.375)
  }

  @Test("the table names rows, aligns columns, shows the difference and leaves out what was not measured")
  func table() {
    let base = Metrics([result(nll: 3, tokens: 2, top1: 1, exact: false, hit: false, iou: 0.25)])
    let adapted = Metrics([result(nll: 2, tokens: 2, top1: 2, exact: true, hit: true, iou: 0.75)])
    #expect(
      Metrics.table([("base", base), ("adapted", adapted)]) == [
        "                                      base       adapted    difference",
        "loss (2 tokens)                     1.5000        1.0000       -0.5000",
        "perplexity                          4.4817        2.7183       -1.7634",
        "token accuracy                      50.00%       100.00%       +50.00%",
        "exact match (1 example)              0.00%       100.00%      +100.00%",
        "ended by the model                 100.00%       100.00%        +0.00%",
        "point in box (1 example)             0.00%       100.00%      +100.00%",
        "IoU >= 0.5 (1 example)               0.00%       100.00%      +100.00%",
        "mean IoU                            0.2500        0.7500       +0.5000",
      ])
    let bare = Metrics([result(nll: 3, tokens: 2, top1: 1)])
    #expect(Metrics.table([("base", bare)]).count == 4)
  }

  @Test("accuracy by group: places by point and IoU, words by exact match, examples without the key nowhere")
  func groups() {
    let groups = [["split": "seen"], ["split": "unseen"], ["split": "seen"], [:], ["kind": "words"]]
    func results(_ hits: [Bool]) -> [ExampleResult] {
      hits.enumerated().map { index, hit in
        result(
          nll: 1, tokens: 1, top1: 1, exact: hit, hit: index < 4 ? hit : nil,
          iou: index == 1 ? (hit ? 0.5 : 0.4) : nil)
      }
    }
    let models = [
      (name: "base", results: results([true, false, false, false, true])),
      (name: "adapted", results: results([true, true, false, true, false])),
    ]
    #expect(
      Metrics.table(by: groups, models) == [
        "",
        "exact match by kind                   base       adapted    difference",
        "  words (1 example)                100.00%         0.00%      -100.00%",
        "",
        "point in box by split                 base       adapted    difference",
        "  seen (2 examples)                 50.00%        50.00%        +0.00%",
        "  unseen (1 example)                 0.00%       100.00%      +100.00%",
        "",
        "IoU >= 0.5 by split                   base       adapted    difference",
        "  unseen (1 example)                 0.00%       100.00%      +100.00%",
      ])
    // A long name moves the columns of its table alone.
    let long = String(repeating: "n", count: 40)
    #expect(
      Metrics.table(by: [["task": "t"], ["task": long]], [("base", Array(models[0].results[3...]))]) == [
        "", "point in box by task" + String(repeating: " ", count: 18) + "base",
        "  t (1 example)" + String(repeating: " ", count: 22) + "0.00%",
        "", "exact match by task" + String(repeating: " ", count: 45) + "base",
        "  \(long) (1 example)       100.00%",
      ])
    #expect(Metrics.table(by: [[:]], [("base", [result(nll: 1, tokens: 1, top1: 1)])]).isEmpty)
    #expect(
      Metrics.table(by: [["task": "t"]], [("base", [result(nll: 1, tokens: 4, top1: 1)])]).last
        == "  t (1 example)                     25.00%")
  }

  @Test("a predictions file has a line an example and model; what cannot be written is an error before the work")
  func predictions() throws {
    let folder = try TemporaryFolder()
    let path = folder.path("p.jsonl")
    try checkWritable(path)
    let lines = [
      PredictionLine(
        Example(id: "a/b", line: 1, images: [], messages: [], groups: ["task": "t"]), model: "base",
        result(nll: 1.5, tokens: 2, top1: 1, exact: true, hit: true, iou: 0.5)),
      PredictionLine(
        Example(id: "c", line: 2, images: [], messages: []), model: "adapted",
        result(nll: .nan, tokens: 2, top1: 1)),
    ]
    try PredictionLine.write(lines, to: path)
    #expect(
      try String(contentsOfFile: path, encoding: .utf8)
        == #"{"exact_match":true,"finished":true,"group":{"task":"t"},"id":"a/b","iou":0.5,"likeliest_tokens":1,"model":"base","nll":1.5,"#
        + #""point_in_box":true,"prediction":"q","prompt":"p","reference":"r","tokens":2}"# + "\n"
        + #"{"id":"c","likeliest_tokens":1,"model":"adapted","nll":"NaN","tokens":2}"# + "\n")
    #expect(throws: FileError.self) { try checkWritable(folder.path("none/p.jsonl")) }
    #expect(throws: FileError.self) { try checkWritable(folder.path) }
  }
}
