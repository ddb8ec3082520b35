// A plan refuses the weights that a run would refuse, and assumes those that are not there yet.
import Costs
import Foundation
import HuggingFace
import TestSupport
import Testing
import TinyModels

@testable import Planning

@Suite("The weights of a plan")
struct PlannedWeightsTests {
  /// What a plan says of a model, and that opening the model says the same.
  func refusal(_ model: TinyModel) throws -> String {
    let planned = line { _ = try PlannedWeights(folder: model.folder, ModelConfiguration(folder: model.folder)) }
    #expect(planned == line { _ = try model.base() })
    return planned
  }

  @Test("Missing tensors, tensors too many, other shapes and no head are refused as training refuses them")
  func refused() throws {
    let name = "model.layers.1.self_attn.v_proj.weight"
    let missing = try TinyModel()
    try missing.changeWeights { $0.removeAll { $0.name == name } }
    #expect(try refusal(missing).contains("no tensor \(name)"))
    let more = try TinyModel()
    try more.changeWeights { $0 += $0.filter { $0.name == name }.map { $0.renamed("model.layers.2.surprise") } }
    #expect(try refusal(more).contains("model.layers.2.surprise"))
    let reshaped = try TinyModel()
    try reshaped.changeWeights { tensors in
      tensors = tensors.map { $0.name == name ? .init(name: name, shape: [16, 8], values: $0.values) : $0 }
    }
    #expect(try refusal(reshaped).contains("expected shape [8, 16], found [16, 8]"))
    let headless = try TinyModel()
    try headless.changeWeights { $0.removeAll { $0.name == "lm_head.weight" } }
    #expect(try refusal(headless).contains("tie_word_embeddings"))
    let pointer = try TinyModel()
    try Data("version https://git-lfs.github.com/spec/v1\n".utf8).write(
      to: URL(filePath: pointer.folder + "/model.safetensors"))
    #expect(try refusal(pointer).contains("git lfs pull"))
  }

  @Test("A head of its own counts, a tied one does not; without weights the plan assumes them")
  func counted() throws {
    let model = try TinyModel()
    func planned() throws -> PlannedWeights {
      try PlannedWeights(folder: model.folder, ModelConfiguration(folder: model.folder))
    }
    try model.setTied(true)
    #expect(try ParameterCounts(planned().configuration).head == 272 * 16)
    try model.changeWeights { $0.removeAll { $0.name == "lm_head.weight" } }
    #expect(try ParameterCounts(planned().configuration).head == 0)
    try FileManager.default.removeItem(atPath: model.folder + "/model.safetensors")
    #expect(try planned().source.hasPrefix("assumed"))
  }
}
