// What a run file means: defaults, every key, paths, overrides, the printed run and its digest.
import Foundation
import Testing

@testable import RunFile

let minimal = "{model: {path: base}, data: {train: rows.jsonl}, training: {steps: 10}}"

/// Reads a text as the run file /runs/one/run.yaml.
func run(_ text: String, _ overrides: String...) throws -> RunConfiguration {
  try RunConfiguration(text: text, path: "/runs/one/run.yaml", overrides: overrides)
}

@Suite("A run file")
struct RunConfigurationTests {
  static let everyKey = """
    model: {path: /models/qwen, precision: bf16, min_pixels: 3136, max_pixels: 50176, threads: 2, feature_memory_mib: 0,
      feature_cache: ../features}
    data:
      train: ../rows.jsonl
      validation: v.jsonl
      image_root: ./images
      allow_outside: true
      max_length: 2048
      group_by_image: false
      coordinates: relative_1000
      bad_rows: skip
      ids: line
      ignore_keys: [source, "meta data"]
      damaged_images: refuse
      transparency: drop
      exif_orientation: apply
      scorer: anls
    adapter:
      kind: image_lora
      rank: 16
      alpha: 32
      normalization: none
      gamma: 0.1
      heads: {select: file, num_heads: 12, tau: 0.25, estimator: gate, probe_rows: 64, seed: 3, file: kv.json}
    training: {epochs: 1.5, global_batch: 32, micro_batch: 4, learning_rate: 1e-4, rate_factors: {B: 16}, schedule: linear,
      min_learning_rate: 1e-5, warmup_steps: 7,
      weight_decay: 0.01, max_gradient_norm: .inf, seed: 18446744073709551615, beta1: 0.8, beta2: 0.95, epsilon: 1e-6,
      activation_memory_mib: 512, validation_every_steps: 50, patience: 3, best_by: point_in_box, answered_rows: 10,
      max_new_tokens: 12}
    checkpoint: {directory: out, every_steps: 5, every_minutes: 2.5, keep: 1}
    logging: {every_steps: 1, tensorboard: true}
    """

  @Test("the defaults, and the printed run with all of them")
  func defaults() throws {
    let run = try run(minimal)
    #expect(
      run.yaml == """
        model:
          path: "/runs/one/base"
          threads: 1
          feature_memory_mib: 256
        data:
          train: "/runs/one/rows.jsonl"
          image_root: "/runs/one"
          allow_outside: false
          max_length: 4096
          group_by_image: true
          bad_rows: strict
          ids: own
          ignore_keys: []
          damaged_images: warn
          transparency: white
          exif_orientation: ignore
          scorer: exact_match
        adapter:
          kind: image_lora
          rank: 8
          alpha: 16.0
          normalization: inverse_sqrt_selected
          gamma: 0.01
          heads:
            select: influence
            tau: 0.5
            estimator: fisher
            probe_rows: 200
            seed: 0
        training:
          steps: 10
          global_batch: 16
          micro_batch: auto
          schedule: cosine
          weight_decay: 0.0
          max_gradient_norm: 1.0
          seed: 0
          beta1: 0.9
          beta2: 0.999
          epsilon: 1e-08
          best_by: loss
          answered_rows: 64
          max_new_tokens: 64
        checkpoint:
          directory: "/runs/one/checkpoints"
          every_steps: 500
          every_minutes: 30.0
          keep: 3
        logging:
          every_steps: 10
          tensorboard: false
          stall_timeout_seconds: 300.0
          stall_limit_seconds: auto

        """)
  }

  @Test("every key is read, and printed again")
  func allKeys() throws {
    let run = try run(Self.everyKey)
    #expect(
      run.yaml == """
        model:
          path: "/models/qwen"
          precision: bf16
          min_pixels: 3136
          max_pixels: 50176
          threads: 2
          feature_memory_mib: 0
          feature_cache: "/runs/one/../features"
        data:
          train: "/runs/one/../rows.jsonl"
          validation: "/runs/one/v.jsonl"
          image_root: "/runs/one/images"
          allow_outside: true
          max_length: 2048
          group_by_image: false
          coordinates: relative_1000
          bad_rows: skip
          ids: line
          ignore_keys: ["source", "meta data"]
          damaged_images: refuse
          transparency: drop
          exif_orientation: apply
          scorer: anls
        adapter:
          kind: image_lora
          rank: 16
          alpha: 32.0
          normalization: none
          gamma: 0.1
          heads:
            select: file
            num_heads: 12
            tau: 0.25
            estimator: gate
            probe_rows: 64
            seed: 3
            file: "/runs/one/kv.json"
        training:
          epochs: 1.5
          global_batch: 32
          micro_batch: 4
          learning_rate: 0.0001
          rate_factors: {A: 1.0, B: 16.0, gamma: 1.0}
          schedule: linear
          min_learning_rate: 1e-05
          warmup_steps: 7
          weight_decay: 0.01
          max_gradient_norm: .inf
          seed: 18446744073709551615
          beta1: 0.8
          beta2: 0.95
          epsilon: 1e-06
          activation_memory_mib: 512
          validation_every_steps: 50
          patience: 3
          best_by: point_in_box
          answered_rows: 10
          max_new_tokens: 12
        checkpoint:
          directory: "/runs/one/out"
          every_steps: 5
          every_minutes: 2.5
          keep: 1
        logging:
          every_steps: 1
          tensorboard: true
          stall_timeout_seconds: 300.0
          stall_limit_seconds: auto

        """)
    #expect(
      run.data.train.files.map(\.path) == [RunPath(written: "../rows.jsonl", resolved: "/runs/one/../rows.jsonl")])
    #expect(run.data.validation?.files.first?.path.written == "v.jsonl")
  }

  @Test("the printed run, read from another folder, is the same run", arguments: [minimal, everyKey])
  func roundTrip(text: String) throws {
    let first = try run(text)
    let second = try RunConfiguration(text: first.yaml, path: "/elsewhere/resolved.yaml")
    #expect(second.yaml == first.yaml)
    #expect(second.digest(including: []) == first.digest(including: []))
  }

  @Test("JSON is a run file, also with tabs")
  func json() throws {
    let json =
      "{\n\t\"model\": {\"path\": \"base\"},\n\t\"data\": {\"train\": \"rows.jsonl\"},\n"
      + "\t\"training\": {\"steps\": 10, \"learning_rate\": 1e-5, \"warmup_steps\": null}\n}\n"
    #expect(try run(json) == run(minimal, "training.learning_rate=1e-5"))
  }

  @Test(
    "paths may hold any text, and survive printing",
    arguments: [
      "a b", "it's \"quoted\"", "naïve/画像", "back\\slash", "tab\there", "null", "2024", "~/x", "a: b #c", "&a*a",
      "\u{85}\u{2028}é",
    ])
  func oddPaths(path: String) throws {
    var first = try run(minimal)
    first.model.path = RunPath(written: path, resolved: "/runs/one/" + path)
    #expect(try run(first.yaml).model.path.resolved == "/runs/one/" + path)
  }

  @Test("a run file in a file, named relative to the process, has absolute paths")
  func files() throws {
    let name = "run-\(UUID().uuidString).yaml"
    let folder = FileManager.default.currentDirectoryPath
    try Data(("\u{FEFF}" + minimal).utf8).write(to: URL(fileURLWithPath: name))
    defer { try? FileManager.default.removeItem(atPath: name) }
    let run = try RunConfiguration(path: name)
    #expect(run.path == name && run.model.path.resolved == folder + "/base")
  }

  @Test("warm-up is what is given, else three hundredths of the steps")
  func warmup() throws {
    #expect(try run(minimal).training.warmup(totalSteps: 1000) == 30)
    #expect(try run(minimal, "training.warmup_steps=0").training.warmup(totalSteps: 1000) == 0)
  }
}

@Suite("Overrides")
struct OverrideTests {
  @Test("values are YAML, sections are made, null takes a key back, the last one wins")
  func set() throws {
    #expect(try run(minimal, "adapter.heads.num_heads=6").adapter.heads.numHeads == 6)
    #expect(try run(minimal, "adapter.rank=4", "adapter.rank=2").adapter.rank == 2)
    #expect(try run(minimal, "adapter={rank: 2, heads: {tau: 1}}", "adapter.alpha=4").adapter.heads.tau == 1)
    #expect(try run(minimal, "training.steps=null", "training.epochs=2").training.epochs == 2)
    // Unlike those of the file, paths of overrides start where the command was given.
    let here = FileManager.default.currentDirectoryPath
    #expect(try run(minimal, "data.validation=a=b.jsonl").data.validation?.listing == "\(here)/a=b.jsonl")
    #expect(try run(minimal, "data={train: t, validation: v}").data.validation?.listing == "\(here)/v")
    #expect(try run(minimal).data.train.listing.hasPrefix("/runs/one/"))
    #expect(try run("model:\ntraining: {steps: 1}", "model.path=b", "data.train=t").model.path.written == "b")
    #expect(try run(minimal, "logging.every_steps=").logging.everySteps == 10)
  }

  @Test(
    "errors of wrong overrides name the override and the reason",
    arguments: [
      ("rank", "--set rank: write it as key.path=value"),
      ("=3", "--set =3: a key is names joined by dots, as training.steps"),
      ("a..b=3", "--set a..b=3: a key is names joined by dots, as training.steps"),
      ("model.path.x=3", "--set model.path.x=3: a name before the last is no section of the run file"),
      ("adapter.rnk=3", "--set adapter.rnk=3: unknown key adapter.rnk; the nearest is adapter.rank"),
      ("trainin.steps=3", "--set trainin.steps=3: unknown key trainin; the nearest is training"),
      ("adapter.rank=x", "--set adapter.rank=x: adapter.rank is x, expected an integer from 1 to 1024"),
      (
        "adapter.rank=[1",
        "--set adapter.rank=[1: not YAML: while parsing a flow sequence, did not find expected ',' or ']'"
      ),
      ("adapter.rank={a: 1, a: 2}", "--set adapter.rank={a: 1, a: 2}: key a is given twice; keep one"),
    ])
  func wrong(override: String, expected: String) {
    let error = #expect(throws: RunFileError.self) { try run(minimal, override) }
    #expect(error?.description == expected)
  }
}

@Suite("Digest of a run")
struct DigestTests {
  @Test("is frozen: a change of it makes old checkpoints look foreign")
  func frozen() throws {
    // printf of the deciding keys, then of "LENGTH DIGEST\n" for each content, to sha256sum.
    let expected = "28b4fd7afad13742471f60cae45b0d04f2071f51313be9fea78e4626eec2aa6b"
    // A run of a version without data.transparency, which dropped the alpha, and with other defaults.
    let old = try run(
      minimal, "model.precision=fp32", "data.transparency=drop", "adapter.heads.estimator=rank1",
      "adapter.heads.probe_rows=1000000000", "training.learning_rate=1e-5", "training.rate_factors={A: 1, gamma: 1}",
      "training.global_batch=8", "training.micro_batch=1")
    #expect(old.digest(including: ["abc"]) == expected)
    #expect(try run(minimal, "model.precision=fp32").digest(including: ["abc"]) != expected)
  }

  @Test(
    "does not depend on keys that do not change the results",
    arguments: [
      "model.path=/m", "model.feature_memory_mib=0", "model.feature_cache=/f", "data.train=/t", "data.validation=/v",
      "data.image_root=/i", "data.allow_outside=true", "data.bad_rows=skip", "data.ids=line",
      "data.ignore_keys=[source]", "data.damaged_images=refuse",
      "checkpoint.directory=/c", "checkpoint.every_steps=1", "checkpoint.every_minutes=1", "checkpoint.keep=1",
      "logging.every_steps=1", "logging.tensorboard=true", "logging.stall_timeout_seconds=9",
      "logging.stall_limit_seconds=60", "logging.stall_limit_seconds=0",
      "training.validation_every_steps=1",
      "training.activation_memory_mib=1", "data.scorer=anls", "training.answered_rows=1", "training.max_new_tokens=1",
    ])
  func elsewhere(override: String) throws {
    #expect(try run(minimal, override).digest(including: []) == run(minimal).digest(including: []))
  }

  @Test(
    "depends on every key that changes the results, and on contents",
    arguments: [
      ["model.precision=bf16"], ["model.min_pixels=1"], ["model.max_pixels=9"], ["model.threads=2"],
      ["data.max_length=1"], ["data.group_by_image=false"], ["data.coordinates=pixels"], ["data.transparency=drop"],
      ["data.exif_orientation=apply"], ["data.system=x"], ["adapter.kind=lora"],
      ["adapter.rank=1"],
      ["adapter.alpha=1"], ["adapter.normalization=none"], ["adapter.gamma=1"], ["training.rate_factors={B: 2}"],
      ["adapter.heads.select=all"], ["adapter.heads.num_heads=1"],
      ["adapter.heads.tau=1"], ["adapter.heads.estimator=gate"], ["adapter.heads.probe_rows=1"],
      ["adapter.heads.select=per_layer", "adapter.heads.per_layer=1"], ["adapter.heads.seed=1"], ["training.steps=11"],
      ["training.global_batch=1"], ["training.micro_batch=2"], ["training.learning_rate=1"],
      ["training.schedule=linear"], ["training.min_learning_rate=1e-6"],
      ["training.warmup_steps=1"], ["training.weight_decay=1"], ["training.max_gradient_norm=2"], ["training.seed=1"],
      ["training.beta1=0"], ["training.beta2=0"], ["training.epsilon=1"],
      ["training.steps=null", "training.epochs=10"],
    ])
  func results(overrides: [String]) throws {
    let changed = try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: overrides)
    #expect(try changed.digest(including: []) != run(minimal).digest(including: []))
  }

  /// As versions computed that did not know the key; what is left open counts as what it is settled to.
  @Test func oneExampleAPassIsNoKey() throws {
    func training(_ lines: [String]) throws -> RunConfiguration {
      try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: lines)
    }
    var open = try training([])
    #expect(open.training.microBatch == .auto && open.examplesPerPass == 1)
    open.training.microBatch.settle(4)
    open.training.microBatch.settle(2)
    #expect(open.training.microBatch == .examples(4) && open.examplesPerPass == 4)
    #expect(try open.digest(including: []) == training(["training.micro_batch=4"]).digest(including: []))
    let one = try training(["training.micro_batch=1"])
    #expect(!one.decisiveSettings.contains { $0.key == "training.micro_batch" })
    for wrong in ["0", "4097", "many", "1.5"] {
      let error = #expect(throws: RunFileError.self) { try training(["training.micro_batch=\(wrong)"]) }
      #expect(error?.description.contains("auto, or an integer from 1 to 4096") == true)
    }
  }

  @Test("depends on the order and the borders of contents")
  func contents() throws {
    let run = try run(minimal)
    let digests = [[], ["ab"], ["a", "b"], ["b", "a"], ["ab", ""]].map(run.digest(including:))
    #expect(Set(digests).count == digests.count)
  }

  @Test("a key that was renamed is read under its old name, with a notice; both names at once are refused")
  func renamedKey() throws {
    let old = "--set logging.patience_seconds=7"
    var notices: [String] = []
    let text = "{model: {path: m}, data: {train: t.jsonl}, training: {steps: 1}}"
    let run = try RunConfiguration(text: text, path: "/r.yaml", overrides: ["logging.patience_seconds=7"]) {
      notices.append($0)
    }
    #expect(run.logging.stallTimeoutSeconds == 7)
    #expect(
      notices == [
        "\(old): logging.patience_seconds is now called logging.stall_timeout_seconds; the old name is still read"
      ])
    let error = #expect(throws: RunFileError.self) {
      try RunConfiguration(
        text: text, path: "/r.yaml",
        overrides: ["logging.stall_timeout_seconds=8", "logging.patience_seconds=7"])
    }
    #expect(error?.description.contains("two names of one key") == true)
  }
}
