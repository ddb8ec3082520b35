// A run file of a standard LoRA.
import Foundation
import HuggingFace
import QwenVL
import TestSupport
import Testing

@testable import RunFile

@Suite("A run with a standard LoRA")
struct LoRARunTests {
  @Test("adapts all four projections unless the run file lists fewer; the printed run is the same run")
  func targets() throws {
    let whole = try run(minimal, "adapter.kind=lora")
    #expect(whole.adapter.targets == Projection.attention)
    #expect(
      whole.yaml.contains(
        "adapter:\n  kind: lora\n  rank: 8\n  alpha: 16.0\n  targets: [q_proj, k_proj, v_proj, o_proj]\ntraining:"))
    #expect(try RunConfiguration(text: whole.yaml, path: "/elsewhere/run.yaml").yaml == whole.yaml)
    func some(_ list: String) throws -> RunConfiguration {
      try RunConfiguration(
        text: minimal, path: "/runs/one/run.yaml", overrides: ["adapter.kind=lora", "adapter.targets=\(list)"])
    }
    #expect(try some("[v_proj, q_proj]").adapter.targets == [.query, .value])
    #expect(try some("[v_proj, q_proj]").digest(including: []) == some("[q_proj, v_proj]").digest(including: []))
    #expect(try some("[v_proj]").digest(including: []) != whole.digest(including: []))
    #expect(try run(minimal).adapter.targets == nil && !run(minimal).yaml.contains("targets"))
  }

  @Test(
    "refuses what only the other kind has, and dropout",
    arguments: [
      (["adapter.kind=lora", "adapter.heads.select=all"], "adapter.kind, adapter.heads: with kind: lora"),
      (["adapter.kind=lora", "adapter.normalization=none"], "adapter.kind, adapter.normalization: with kind: lora"),
      (["adapter.targets=[q_proj]"], "adapter.kind, adapter.targets: with kind: image_lora"),
      (["adapter.kind=lora", "adapter.dropout=0.1"], "adapter.dropout: dropout is not supported"),
      (
        ["adapter.kind=lora", "adapter.targets=[qkv]"],
        "adapter.targets is a list, expected a list of q_proj, k_proj"
      ),
      (["adapter.kind=lora", "adapter.targets=[q_proj, q_proj]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=[]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=[[q_proj]]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=q_proj"], "adapter.targets is q_proj, expected a list"),
      (["adapter.kind=lora", "adapter.target=[q_proj]"], "unknown key adapter.target; the nearest is adapter.targets"),
    ])
  func refusals(overrides: [String], words: String) throws {
    let error = #expect(throws: RunFileError.self) {
      try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: overrides)
    }
    #expect(error?.description.contains(words) == true, "\(error as Any)")
  }

  @Test("names projections that the model has")
  func otherProjections() throws {
    let model = try run(minimal, "adapter.kind=lora").adapter
    var text = TextConfiguration.tiny
    #expect(try model.lora(text).projections == Projection.attention)
    var linear = model
    linear.targets = [.query, .linearInput, .down]
    let error = #expect(throws: RunFileError.self) { try linear.lora(text) }
    #expect(
      error?.description
        == "run file: adapter.targets is in_proj_qkv, expected projections that this model has: q_proj, k_proj, v_proj, "
        + "o_proj, gate_proj, up_proj, down_proj")
    text.layerTypes = (0..<text.layers).map { $0 == 1 ? .fullAttention : .linearAttention }
    let targets = try linear.lora(text).targets
    #expect(targets.count == text.layers && targets[0] == [.linearInput, .down] && targets[1] == [.query, .down])
  }

  @Test("takes keys of the other kind that are null")
  func nulls() throws {
    let run = try RunConfiguration(
      text: minimal, path: "/runs/one/run.yaml",
      overrides: ["adapter.heads.select=all", "adapter.kind=lora", "adapter.heads=null"])
    #expect(run.adapter.kind == .lora)
  }

  @Test("may start from a folder, whose path decides nothing")
  func start() throws {
    let changed = try run(minimal, "adapter.start=a/folder")
    #expect(changed.adapter.start?.resolved == FileManager.default.currentDirectoryPath + "/a/folder")
    #expect(try changed.digest(including: []) == run(minimal).digest(including: []))
  }
}
