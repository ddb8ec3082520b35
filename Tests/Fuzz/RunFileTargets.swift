// Run files with overrides, as a command reads them and as a checkpoint holds them.
import Files
import RunFile

extension FuzzTarget {
  private static let parts = ["run.yaml", "set"]

  static let runFiles: [FuzzTarget] = [
    FuzzTarget(
      name: "run-file", dictionary: "yaml", format: .files(["run.yaml": .bytes, "set": .bytes]),
      seeds: {
        let quickstart = Array(try readFile("scripts/quickstart/run.yaml", maximumBytes: 1 << 16))
        let texts = [
          """
          model: {path: M, precision: fp32, min_pixels: 784, max_pixels: 50176, threads: 2, template: {a: false, b: "1"}}
          data:
            train: "rows.jsonl"
            validation: null
            ignore_keys: [note, 'b']
            coordinates: relative_1000
          adapter: {kind: lora, targets: [q_proj, v_proj], rank: 4, alpha: 8}
          training: {epochs: 1.5, global_batch: 8, learning_rate: 1e-4, warmup_steps: 5, seed: 3}
          """,
          #"{"model": {"path": "M"}, "data": {"train": "t"}, "adapter": {"heads": {"select": "random", "seed": 5}}, "training": {"steps": 2}}"#,
          """
          model: {path: M}
          data:
            train: [a.jsonl, {path: b.jsonl.gz, weight: 0.5, name: c}, {path: d, image_root: e}]
            validation: [{path: f}]
            system: "Be brief."
          training: {steps: 2}
          """,
          "{model: {path: M}, data: {train: t, validation_fraction: 0.1, validation_seed: 3}, training: {steps: 2}}",
          "model:\n  path: |\n    M\ndata: {train: !!str t}\ntraining: {steps: 0x10}\nlogging: {every_steps: ~}\n",
        ]
        return [FilesInput([(parts[0], quickstart), (parts[1], Array("training.steps=20".utf8))]).bytes]
          + texts.map { FilesInput([(parts[0], Array($0.utf8))]).bytes }
          + [
            FilesInput([
              (parts[0], Array(texts[0].utf8)), (parts[1], Array("model.max_pixels=null\nmodel.template.c=-3".utf8)),
            ]).bytes
          ]
      },
      read: { bytes in
        let input = FilesInput(bytes, names: parts)
        let overrides = (input["set"] ?? []).split(separator: UInt8(ascii: "\n")).map {
          String(decoding: $0, as: UTF8.self)
        }
        let path = WorkFolder.write("run.yaml", input["run.yaml"] ?? [])
        var notices: [String] = []
        let run = try RunConfiguration(path: path, overrides: overrides) { notices.append($0) }
        // What is saved beside the checkpoints is the same run.
        let yaml = run.yaml
        guard yaml.utf8.count <= 64 << 10 else { return }
        let again = try RunConfiguration(text: yaml, path: path)
        require(again.yaml.hasSameBytes(as: yaml), "the resolved run is read as another one")
        require(again.digest(including: []).hasSameBytes(as: run.digest(including: [])), "another digest")
      })
  ]
}
