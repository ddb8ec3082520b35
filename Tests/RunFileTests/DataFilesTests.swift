// Lists of files in a run file: paths, weights, folders of images and names; a split; a system message.
import Datasets
import Foundation
import Testing

@testable import RunFile

@Suite("Files of examples in a run file")
struct DataFilesTests {
  private func message(_ overrides: String...) -> String? {
    do {
      _ = try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: overrides)
      return nil
    } catch { return "\(error)" }
  }

  @Test("a list of paths and mappings; names are the files' without endings")
  func list() throws {
    let text = """
      model: {path: base}
      data:
        train:
        - a/rows.v2.jsonl.gz
        - {path: b.json.zst, weight: 0.5, image_root: ../images}
        - path: c.jsonl
          name: third
          weight: 2
        validation: [v.jsonl, {path: w.jsonl, name: other}]
      training: {steps: 1}
      """
    let run = try run(text)
    #expect(run.data.train.files.map(\.name) == ["rows.v2", "b", "third"])
    #expect(run.data.train.files.map(\.weight) == [1, 0.5, 2])
    #expect(
      run.trainingFiles.files == [
        ExampleFile(path: "/runs/one/a/rows.v2.jsonl.gz", name: "rows.v2", weight: 1, imageRoot: "/runs/one"),
        ExampleFile(path: "/runs/one/b.json.zst", name: "b", weight: 0.5, imageRoot: "/runs/one/../images"),
        ExampleFile(path: "/runs/one/c.jsonl", name: "third", weight: 2, imageRoot: "/runs/one"),
      ])
    #expect(run.validationFiles?.files.map(\.name) == ["v", "other"])
    #expect(run.allFiles.count == 2)
    let again = try RunConfiguration(text: run.yaml, path: "/elsewhere/run.yaml")
    #expect(again.yaml == run.yaml && again.trainingFiles.files == run.trainingFiles.files)
    #expect(
      run.yaml.contains(
        #"  train: [{path: "/runs/one/a/rows.v2.jsonl.gz", weight: 1.0, name: "rows.v2"}, "#
          + #"{path: "/runs/one/b.json.zst", weight: 0.5, image_root: "/runs/one/../images", name: "b"}, "#
          + #"{path: "/runs/one/c.jsonl", weight: 2.0, name: "third"}]"#))
  }

  @Test(
    "a list of one path of weight 1 is that path", arguments: ["[t.jsonl]", "[{path: t.jsonl, name: x, weight: 1}]"])
  func single(list: String) throws {
    #expect(try run(minimal, "data.train=\(list)").yaml == run(minimal, "data.train=t.jsonl").yaml)
    let heavy = try run(minimal, "data.train=[{path: t.jsonl, weight: 2}]")
    // Paths of overrides start where the command was given.
    let here = FileManager.default.currentDirectoryPath
    #expect(heavy.yaml.contains(#"train: [{path: "\#(here)/t.jsonl", weight: 2.0}]"#))
    #expect(heavy.trainingFiles.files[0].name.isEmpty)
  }

  @Test(
    "what is wrong inside of a list is named with its place",
    arguments: [
      ("[]", "data.train is a list, expected a path, or a list of paths and of {path, weight, image_root, name}"),
      ("{path: a}", "data.train is a mapping, expected a path, or a list of paths and of "),
      ("[a, {path: b, wieght: 2}]", "unknown key data.train[1].wieght; the nearest is data.train[1].weight"),
      ("[{weight: 2}]", "data.train[0].path is missing, expected a path"),
      ("[{path: a, weight: 0}]", "data.train[0].weight is 0, expected a number from 0.001 to 100.0"),
      ("[{path: a, weight: x}]", "data.train[0].weight is x, expected a number from"),
      ("[{path: [a]}]", "data.train[0].path is a list, expected a path"),
      ("[[a]]", "data.train[0] is a list, expected a path or a mapping of keys"),
      ("[null]", "data.train[0] is null, expected a path or a mapping of keys"),
      ("[{path: a, name: \"x:y\"}]", "data.train[0].name is \"x:y\", expected a text of 1 to 100 bytes without"),
      (
        "[a/x.jsonl, b/x.jsonl]",
        "data.train[1]: the name \"x\" is that of train[0] too; give one of them another name"
      ),
      ("[a, \"b:c\"]", "data.train[1]: the file's name cannot stand before ids; give it a name without : and /"),
      ("[{path: a, path: b}]", "key path is given twice; keep one"),
    ])
  func wrong(list: String, words: String) {
    let found = message("data.train=\(list)")
    #expect(found?.hasPrefix("--set ") == true && found?.contains(": \(words)") == true, "\(found ?? "read")")
  }

  @Test("validation takes no weights, and a split excludes it")
  func conflicts() {
    #expect(
      message("data.validation=[{path: v, weight: 2}]")?.contains(
        "data.validation: validation takes each example once; take the weight out") == true)
    #expect(
      message("data.validation=v", "data.validation_fraction=0.1")?.contains(
        "data.validation, data.validation_fraction: both name validation examples") == true)
    #expect(
      message("data.validation_seed=1")?.contains(
        "data.validation_fraction, data.validation_seed: without the former the latter has no effect") == true)
    for wrong in ["0", "1", "-0.1", "x"] {
      #expect(
        message("data.validation_fraction=\(wrong)")?.contains("expected a number above 0 and below 1") == true)
    }
    #expect(message("data.system=\"\"")?.contains("data.system is \"\", expected a text") == true)
  }

  @Test("a split has the run's seed unless it has its own; neither is decisive by itself, a system message is")
  func split() throws {
    let run = try run(minimal, "data.validation_fraction=0.05", "training.seed=7")
    #expect(run.trainingFiles.split == ExampleSplit(fraction: 0.05, seed: 7, side: .training))
    #expect(run.validationFiles?.split == ExampleSplit(fraction: 0.05, seed: 7, side: .validation))
    #expect(run.allFiles.count == 1 && run.allFiles[0].split == nil)
    let own = try RunConfiguration(text: run.yaml, path: "/x.yaml", overrides: ["data.validation_seed=3"])
    #expect(own.trainingFiles.split?.seed == 3)
    let plain = try RunConfiguration(text: minimal, path: "/runs/one/run.yaml")
    #expect(plain.validationFiles == nil && plain.trainingFiles.split == nil)
    let digest = plain.digest(including: [])
    for override in ["data.validation_fraction=0.05", "data.train=[a, b]"] {
      #expect(
        try RunConfiguration(text: minimal, path: "/x.yaml", overrides: [override]).digest(including: []) == digest)
    }
    let system = try RunConfiguration(text: minimal, path: "/x.yaml", overrides: ["data.system=Be brief."])
    #expect(system.digest(including: []) != digest && system.data.system == "Be brief.")
    #expect(try RunConfiguration(text: system.yaml, path: "/y.yaml").data.system == "Be brief.")
  }
}
