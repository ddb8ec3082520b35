// A run file of a standard LoRA.
import Adapters
import Foundation
import HuggingFace
import QwenVL
import TestSupport
import Testing
import TinyModels

@testable import RunFile

@Suite("A run with a standard LoRA")
struct LoRARunTests {
  private func lora(_ overrides: String...) throws -> RunConfiguration {
    try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: ["adapter.kind=lora"] + overrides)
  }

  @Test("adapts all linear modules of the decoder unless the run file says which; the printed run is the same run")
  func targets() throws {
    let whole = try lora()
    #expect(whole.adapter.targets == .usual)
    #expect(
      whole.yaml.contains(
        "adapter:\n  kind: lora\n  rank: 8\n  alpha: 16.0\n  targets: [all-linear]\n  rslora: false\n  dropout: 0.0\n"))
    #expect(try RunConfiguration(text: whole.yaml, path: "/elsewhere/run.yaml").yaml == whole.yaml)
    func some(_ targets: String) throws -> RunConfiguration { try lora("adapter.targets=\(targets)") }
    #expect(try some("[v_proj, q_proj]").adapter.targets?.words == ["q_proj", "v_proj"])
    #expect(try some("[v_proj, q_proj]").digest(including: []) == some("[q_proj, v_proj]").digest(including: []))
    #expect(try some("v_proj").digest(including: []) == some("[v_proj]").digest(including: []))
    #expect(try some("[v_proj]").digest(including: []) != whole.digest(including: []))
    #expect(try some("visual.*").adapter.targets?.words == ["visual"])
    #expect(try run(minimal).adapter.targets == nil && !run(minimal).yaml.contains("targets"))
  }

  @Test("layers are a list, or the first and the last; upper layers may have all of an Image-LoRA's heads")
  func layers() throws {
    #expect(try lora("adapter.layers=1-2").digest(including: []) == lora("adapter.layers=[2, 1]").digest(including: []))
    #expect(try lora("adapter.layers=1-2").yaml.contains("  layers: [1, 2]\n"))
    let text = TextConfiguration.tiny
    #expect(try Set(lora("adapter.layers=1").adapter.lora(text).targets.keys) == [1])
    for wrong in ["2-1", "-1", "1-", "[]", "[1, 1]", "x", "0-1024", "99999999999999999999", "[a]"] {
      #expect(throws: RunFileError.self, "\(wrong)") { try lora("adapter.layers=\(wrong)") }
    }
    #expect(throws: RunFileError.self) { try lora("adapter.layers=99").adapter.lora(text) }
    let all = try run(minimal).adapter.budget(text)
    let last = text.layers - 1
    let upper = try run(minimal, "adapter.heads.from_layer=\(last)").adapter
    #expect(upper.budget(text) == min(all, text.kvHeads) && upper.fromLayer == last)
    try upper.requireHeads(text)
    for (key, value) in [("from_layer", text.layers), ("num_heads", text.kvHeads + 1)] {
      let adapter = try run(
        minimal, "adapter.heads.from_layer=\(last)", "adapter.heads.\(key)=\(value)"
      ).adapter
      #expect(throws: RunFileError.self) { try adapter.requireHeads(text) }
    }
    #expect(throws: RunFileError.self) {
      try run(minimal, "adapter.heads.from_layer=1", "adapter.heads.select=file", "adapter.heads.file=h.json")
    }
    #expect(throws: RunFileError.self) { try run(minimal, "adapter.layers=[1]") }
  }

  @Test("patterns, rsLoRA and dropout are part of the run; what they are unless stated is not")
  func options() throws {
    let plain = try lora().digest(including: [])
    #expect(try lora("adapter.dropout=0.0", "adapter.rslora=false").digest(including: []) == plain)
    for option in [
      "adapter.dropout=0.1", "adapter.rslora=true", "adapter.rank_pattern={down_proj: 4}",
      "adapter.alpha_pattern={down_proj: 4}",
    ] {
      let changed = try lora(option)
      #expect(changed.digest(including: []) != plain)
      #expect(try RunConfiguration(text: changed.yaml, path: "/elsewhere/run.yaml").yaml == changed.yaml)
    }
    let text = TextConfiguration.tiny
    let adapter = try lora(
      "adapter.rank=4", "adapter.rank_pattern={\"layers.1.mlp.down_proj\": 2, down_proj: 16, \".*q_proj\": 1}",
      "adapter.alpha_pattern={v_proj: 8}", "adapter.rslora=true"
    ).adapter
    let options = try adapter.lora(text)
    let found = [(1, Projection.down), (0, .down), (0, .query), (2, .value), (2, .up)].map { layer, projection in
      let module = AdaptedModule.decoder(layer: layer, projection)
      return "\(options.rank(of: module)) \((options.alpha(of: module) * 100).rounded() / 100)"
    }
    // With rsLoRA, alpha / sqrt(r) is the factor.
    #expect(found == ["2 22.63", "16 64.0", "1 16.0", "4 16.0", "4 32.0"])
    for pattern in ["rank_pattern={k_projj: 4}", "alpha_pattern={visual.merger: 4}"] {
      let adapter = try lora("adapter.\(pattern)").adapter
      let error = #expect(throws: RunFileError.self) { try adapter.lora(text) }
      #expect(error?.description.contains("a module that is adapted") == true, "\(error as Any)")
    }
  }

  @Test("modules of the vision tower, by words")
  func tower() throws {
    let model = try TinyModel(.qwen3_vl)
    let configuration = try ModelConfiguration(folder: model.folder)
    func names(_ targets: String) throws -> [String] {
      try lora("adapter.targets=\(targets)").adapter.lora(configuration.text, configuration.vision).modules.map(\.name)
    }
    #expect(
      try names("visual.merger") == [
        "visual.merger.linear_fc1", "visual.merger.linear_fc2", "visual.deepstack_merger_list.0.linear_fc1",
        "visual.deepstack_merger_list.0.linear_fc2",
      ])
    #expect(
      try names("visual.attn") == (0..<2).flatMap { ["visual.blocks.\($0).attn.qkv", "visual.blocks.\($0).attn.proj"] })
    #expect(try names("visual.blocks").count == 8 && names("visual").count == 12)
    #expect(try names("[visual.mlp, q_proj]").first == "layers.0.q_proj")
    #expect(try names("[all-linear, visual]").count == 2 * 7 + 12)
  }

  @Test("with another kind of adapter than the file, what the file says of its own kind falls away, with a notice")
  func otherKind() throws {
    var notices: [String] = []
    let text =
      String(minimal.dropLast()) + ", adapter: {rank: 16, gamma: 0.1, normalization: none, heads: {select: all}}}"
    let changed = try RunConfiguration(
      text: text, path: "/runs/one/run.yaml", overrides: ["adapter.kind=lora"], notice: { notices.append($0) })
    #expect(changed.adapter.kind == .lora && changed.adapter.rank == 16 && changed.adapter.heads.select == .influence)
    #expect(notices.map { $0.split(separator: " ")[1] } == ["adapter.normalization", "adapter.gamma", "adapter.heads"])
    // What the command line says itself is refused.
    #expect(throws: RunFileError.self) {
      try RunConfiguration(
        text: text, path: "/runs/one/run.yaml", overrides: ["adapter.kind=lora", "adapter.heads.select=random"])
    }
    #expect(throws: RunFileError.self) { try run(text.replacing("rank: 16", with: "kind: lora")) }
  }

  @Test(
    "refuses what only the other kind has, and values that are none",
    arguments: [
      (["adapter.kind=lora", "adapter.heads.select=all"], "adapter.kind, adapter.heads: with kind: lora"),
      (["adapter.kind=lora", "adapter.normalization=none"], "adapter.kind, adapter.normalization: with kind: lora"),
      (["adapter.targets=[q_proj]"], "adapter.kind, adapter.targets: with kind: image_lora"),
      (["adapter.dropout=0.1"], "adapter.kind, adapter.dropout: with kind: image_lora"),
      (["adapter.kind=lora", "adapter.dropout=1"], "adapter.dropout is 1, expected a number from 0.0 to 0.95"),
      (["adapter.kind=lora", "adapter.lora_dropout=0.1"], "here it is adapter.dropout"),
      (
        ["adapter.kind=lora", "adapter.targets=[qkv]"],
        "adapter.targets is a list, expected one or a list of all-linear, q_proj, k_proj"
      ),
      (["adapter.kind=lora", "adapter.targets=[q_proj, q_proj]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=[]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=[[q_proj]]"], "adapter.targets is a list"),
      (["adapter.kind=lora", "adapter.targets=qkv"], "adapter.targets is qkv, expected one or a list"),
      (["adapter.kind=lora", "adapter.target=[q_proj]"], "unknown key adapter.target; the nearest is adapter.targets"),
      (["adapter.kind=lora", "adapter.rank_pattern={q_proj: 0}"], "adapter.rank_pattern is a mapping"),
      (["adapter.kind=lora", "adapter.rank_pattern={q_proj: 1.5}"], "adapter.rank_pattern is a mapping"),
      (["adapter.kind=lora", "adapter.alpha_pattern={\"(\": 1}"], "adapter.alpha_pattern is a mapping"),
    ])
  func refusals(overrides: [String], words: String) throws {
    let error = #expect(throws: RunFileError.self) {
      try RunConfiguration(text: minimal, path: "/runs/one/run.yaml", overrides: overrides)
    }
    #expect(error?.description.contains(words) == true, "\(error as Any)")
  }

  @Test("names projections that the model has")
  func otherProjections() throws {
    let model = try lora("adapter.targets=[q_proj, k_proj, v_proj, o_proj]").adapter
    var text = TextConfiguration.tiny
    #expect(try model.lora(text).projections == Projection.attention)
    var linear = model
    linear.targets = LoRATargets(["q_proj", "in_proj_qkv", "down_proj"])
    let error = #expect(throws: RunFileError.self) { try linear.lora(text) }
    #expect(
      error?.description
        == "run file: adapter.targets is in_proj_qkv, expected projections that this model has: q_proj, k_proj, v_proj, "
        + "o_proj, gate_proj, up_proj, down_proj")
    text.layerTypes = (0..<text.layers).map { $0 == 1 ? .fullAttention : .linearAttention }
    let targets = try linear.lora(text).targets
    #expect(targets.count == text.layers && targets[0] == [.linearInput, .down] && targets[1] == [.query, .down])
    linear.targets = .usual
    #expect(try linear.lora(text).targets[0] == Projection.linearAttention + Projection.mlp)
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
