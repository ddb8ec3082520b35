// What a run file may not be: each error names the place, the key, the value and what was expected.
import Foundation
import Files
import Testing

@testable import RunFile

private func refusal(_ text: String) -> String? {
  #expect(throws: RunFileError.self) { try run(text) }?.description
}

@Suite("Refusals of a run file")
struct RunFileErrorTests {
  static let head = "model: {path: b}\ndata: {train: t}\n"

  @Test("names of other trainers are answered by the key that there is here")
  func peers() {
    let fields = Set(KnownKeys().fields.map { dotted($0) })
    for (name, known) in PeersName.known {
      #expect(fields.contains(known.key), "\(name) is said to be \(known.key)")
      #expect(!fields.contains { $0.hasSuffix("." + name) && $0 != known.key } || name == "seed", "\(name) is a key")
    }
    for (text, words) in [
      ("lr: 1e-4", "unknown key lr; here it is training.learning_rate"),
      ("training: {num_train_epochs: 3}", "unknown key training.num_train_epochs; here it is training.epochs"),
      (
        "training: {gradient_accumulation_steps: 3}",
        "unknown key training.gradient_accumulation_steps; here it is training.global_batch, the examples of a step over "
          + "all ranks, however many these are"
      ),
      ("adapter: {lora_target: all}", "unknown key adapter.lora_target; here it is adapter.targets"),
      ("seed: 1", "unknown key seed; here it is training.seed"),
    ] { #expect(refusal(Self.head + text)?.hasSuffix(words) == true, "\(text)") }
  }

  @Test(
    "each states where and how to fix it",
    arguments: [
      ("adaptor: {}", "3:1: unknown key adaptor; the nearest is adapter"),
      (
        "training:\n  steps: 1\n  learning_rat: 1",
        "5:3: unknown key training.learning_rat; the nearest is training.learning_rate"
      ),
      ("rank: 8", "3:1: unknown key rank; the nearest is adapter.rank"),
      (
        "adapter: {heads: {per_layr: 3}}",
        "3:19: unknown key adapter.heads.per_layr; the nearest is adapter.heads.per_layer"
      ),
      ("<<: {}", #"3:1: unknown key <<; the nearest is data"#),
      ("training: {steps: 1, steps: 2}", "3:12: key steps is given twice; keep one"),
      ("training: {steps: 1, \"steps\": 2}", "3:12: key steps is given twice; keep one"),
      ("model: {path: c}", "1:1: key model is given twice; keep one"),
      ("training: {steps: ten}", "3:19: training.steps is ten, expected an integer from 1 to 1000000000"),
      ("training: {steps: \"10\"}", "3:19: training.steps is \"10\", expected an integer from 1 to 1000000000"),
      ("training: {steps: !!str 10}", "3:19: training.steps is \"10\", expected an integer from 1 to 1000000000"),
      ("training: {steps: 1.5}", "3:19: training.steps is 1.5, expected an integer from 1 to 1000000000"),
      ("training: {steps: 0}", "3:19: training.steps is 0, expected an integer from 1 to 1000000000"),
      (
        "training: {steps: 99999999999999999999}",
        "3:19: training.steps is 99999999999999999999, expected an integer from 1 to 1000000000"
      ),
      ("training: {steps: [1]}", "3:19: training.steps is a list, expected an integer from 1 to 1000000000"),
      ("training: {steps: {a: 1}}", "3:19: training.steps is a mapping, expected an integer from 1 to 1000000000"),
      ("training: {epochs: 0}", "3:20: training.epochs is 0, expected a number above 0, at most 1000000"),
      ("training: {epochs: .nan}", "3:20: training.epochs is .nan, expected a number above 0, at most 1000000"),
      ("training: {epochs: nan}", "3:20: training.epochs is nan, expected a number above 0, at most 1000000"),
      ("training: {epochs: 0x10}", "3:20: training.epochs is 0x10, expected a number above 0, at most 1000000"),
      (
        "training: {steps: 1, learning_rate: -1}",
        "3:37: training.learning_rate is -1, expected a number from 0.0 to 10.0"
      ),
      (
        "training: {steps: 1, seed: -1}",
        "3:28: training.seed is -1, expected an integer from 0 to 18446744073709551615"
      ),
      ("training: {steps: 1, beta1: 1}", "3:29: training.beta1 is 1, expected a number from 0 to below 1"),
      (
        "training: {steps: 1, schedule: step}", "3:32: training.schedule is step, expected cosine or linear or constant"
      ),
      ("logging: {tensorboard: yes}", "3:24: logging.tensorboard is yes, expected true or false"),
      (
        "checkpoint: {every_minutes: 0}",
        "3:29: checkpoint.every_minutes is 0, expected a number above 0, or .inf for every_steps alone"
      ),
      (
        "training: {steps: 1, learning_rate: 1e-4, min_learning_rate: 1e-3}",
        "3:43: training.learning_rate, training.min_learning_rate: the latter, 0.001, is more than 0.0001"
      ),
      ("checkpoint: {directory: \"\"}", "3:25: checkpoint.directory is \"\", expected a path"),
      ("checkpoint: {directory: \"a\\0b\"}", "3:25: checkpoint.directory is \"a\\0b\", expected a path"),
      ("training: 5", "3:11: training is 5, expected a section of keys"),
      ("training: []", "3:11: training is a list, expected a section of keys"),
      (
        "training: {steps: 1, epochs: 1}",
        "3:12: training.epochs, training.steps: each is given; give exactly one of them"
      ),
      (
        "adapter: {heads: {select: file}}\ntraining: {steps: 1}",
        "3:18: adapter.heads.select, adapter.heads.file: select: file needs the latter"
      ),
      (
        "adapter: {heads: {per_layer: 2}}\ntraining: {steps: 1}",
        "3:19: adapter.heads.select, adapter.heads.per_layer: "
          + "with select: influence the latter has no effect; remove it"
      ),
      ("? [a]\n: 3", "3:3: a key must be a name"),
      ("training: !foo {steps: 1}", #"3:11: the tag "!foo" is not read; leave it out"#),
      ("training: {steps: !!int 1}", #"3:19: the tag "tag:yaml.org,2002:int" is not read; leave it out"#),
      ("training: {steps: 1", "4:1: not YAML: while parsing a flow mapping, did not find expected ',' or '}'"),
      ("\tx: 1", "3:1: not YAML: while scanning for the next token, found character that cannot start any token"),
      ("---\nx: 1", "3:1: not YAML: expected a single document in the stream, but found another document"),
    ])
  func places(text: String, expected: String) {
    #expect(refusal(Self.head + text) == "/runs/one/run.yaml:" + expected)
  }

  @Test(
    "required keys are named",
    arguments: [
      ("", "model.path is missing, expected a path"),
      ("model: {path: b}", "data.train is missing, expected a path"),
      ("model: {path: null}", "model.path is missing, expected a path"),
    ])
  func missing(text: String, expected: String) {
    #expect(refusal(text) == "/runs/one/run.yaml: " + expected)
  }

  @Test("neither epochs nor steps is refused")
  func neither() {
    #expect(
      refusal(Self.head)?.hasSuffix("training.epochs, training.steps: neither is given; give exactly one of them")
        == true)
  }

  @Test("pixel limits are in order")
  func pixels() {
    let text = "model: {path: b, min_pixels: 9, max_pixels: 8}\ndata: {train: t}\ntraining: {steps: 1}"
    #expect(refusal(text) == "/runs/one/run.yaml:1:33: model.min_pixels, model.max_pixels: 9 is more than 8")
  }

  @Test("nested aliases are refused before they are composed", arguments: ["x: *i", "? *i\n: 1", "[*i, *i]: 1"])
  func bomb(use: String) {
    let levels = zip("abcdefgh", "bcdefghi").map { "\($1): &\($1) [*\($0), *\($0), *\($0), *\($0), *\($0), *\($0)]" }
    let text = (["a: &a [x, x]"] + levels + [use]).joined(separator: "\n")
    #expect(refusal(text) == "/runs/one/run.yaml: &a with *a: anchors are not read; write the value out")
  }

  @Test("signs that are no aliases do no harm")
  func signs() throws {
    #expect(try run(minimal, "model.path=R&D/*.bin").model.path.written == "R&D/*.bin")
  }

  @Test("deep nesting is refused", arguments: ["[", "{", "- ", "{a: ", "[{a: ", "? "])
  func deep(opening: String) {
    for count in [20, 900, 5000] {
      let error = #expect(throws: RunFileError.self) { try run(String(repeating: opening, count: count)) }
      #expect((error?.description.utf8.count ?? 0) < 400)
    }
    #expect(throws: RunFileError.self) {
      try run(String(repeating: "[", count: 900) + String(repeating: "]", count: 900))
    }
    #expect(throws: RunFileError.self) { try run(minimal, "model.path=" + String(repeating: "[", count: 50_000)) }
    #expect(throws: RunFileError.self) { try run(minimal, String(repeating: "a.", count: 50_000) + "b=1") }
  }

  @Test("a file of nothing but keys is refused in good time", .timeLimit(.minutes(1)))
  func manyKeys() {
    let keys = (0..<9000).map { "k\($0):" }.joined(separator: "\n")
    #expect(refusal(keys)?.contains("unknown key k0") == true)
  }

  @Test(
    "long and odd texts are cut and escaped in messages",
    arguments: [
      String(repeating: "k", count: 100_000) + ": 1", "\"\\e[2J\\n\": 1", "model: {path: b, precision: \"\\e[2J\\n\"}",
      "\u{1}", "\"\\ud800\": 1", "*unknown", "&", "a: |\n  " + String(repeating: "z", count: 100_000),
      "%YAML 9.9\n---\n",
    ])
  func odd(text: String) {
    let description = refusal(text) ?? ""
    #expect(description.utf8.count < 400 && !description.utf8.contains { $0 < 0x20 }, "\(description)")
  }

  @Test("every prefix and every changed byte of a run file is read or refused")
  func mutations() {
    let text = Array("model: {path: 'b', precision: bf16}\ndata:\n  train: \"t\\x41\"\ntraining: {steps: 1}".utf8)
    for length in 0..<text.count {
      _ = try? run(String(decoding: text[..<length], as: UTF8.self))
      for byte: UInt8 in [0, 0x09, 0x0A, 0x21, 0x22, 0x25, 0x26, 0x2A, 0x3A, 0x5B, 0x7B, 0x7C, 0xFF] {
        var changed = text
        changed[length] = byte
        _ = try? run(String(decoding: changed, as: UTF8.self))
      }
    }
  }

  @Test(
    "files that are none",
    arguments: [
      ("/nowhere/run.yaml", "there is no such file"),
      ("/dev/zero", "a run file is a regular file of at most 65536 bytes"),
      ("/", "a run file is a regular file of at most 65536 bytes"),
    ])
  func unreadable(path: String, reason: String) {
    #expect(throws: RunFileError.unreadable(file: path, reason: reason)) { try RunConfiguration(path: path) }
  }

  @Test("a file too long, or not in UTF-8, is refused")
  func contents() throws {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: file) }
    try Data(repeating: 0x20, count: 65_537).write(to: file)
    #expect(throws: RunFileError.self) { try RunConfiguration(path: file.path) }
    try Data([0x61, 0x3A, 0xFF]).write(to: file)
    #expect(throws: RunFileError.unreadable(file: file.path, reason: "it is not text in UTF-8")) {
      try RunConfiguration(path: file.path)
    }
  }

  @Test("distances are Levenshtein's", arguments: [("", "abc", 3), ("kitten", "sitting", 3), ("rank", "rank", 0)])
  func distance(a: String, b: String, expected: Int) {
    #expect(editDistance(a, b) == expected)
  }
}
