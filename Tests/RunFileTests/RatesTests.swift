// How fast a run learns where its file does not say.
import Adapters
import HuggingFace
import TestSupport
import Testing

@testable import RunFile

@Suite("Rates that a run file leaves to the model")
struct RatesTests {
  private let text: TextConfiguration

  init() throws {
    var text = TextConfiguration.tiny
    text.hiddenSize = 1200
    self.text = text
  }

  @Test("the rate falls with the width; an Image-LoRA's tensors have factors, a LoRA's none")
  func automatic() throws {
    let image = try run(minimal, "adapter.rank=6", "adapter.gamma=0.02")
    #expect(image.learningRate(text) == 1 / 1200.0)
    #expect(image.rateFactors(text) == RateFactors(A: 10, B: 50, gamma: 1))
    #expect(try run(minimal, "adapter.kind=lora").rateFactors(text) == .plain)
  }

  @Test("what is stated holds, and the settled run says both") func stated() throws {
    var stated = try run(minimal, "training.learning_rate=1e-3", "training.rate_factors={B: 16}")
    let digest = stated.digest(including: [])
    try stated.settleRates(text)
    #expect(stated.training.learningRate == 1e-3 && stated.rateFactors(text) == RateFactors(A: 1, B: 16, gamma: 1))
    #expect(stated.digest(including: []) == digest)
    var open = try run(minimal)
    try open.settleRates(text)
    #expect(open.yaml.contains("learning_rate: 0.0008333") && open.yaml.contains("rate_factors: {A: 7.5, B: 100.0,"))
    #expect(try run(open.yaml).digest(including: []) == open.digest(including: []))
  }

  @Test("a schedule cannot end above a rate that the model gives") func minimum() throws {
    var run = try run(minimal, "training.min_learning_rate=1e-3")
    let error = #expect(throws: RunFileError.self) { try run.settleRates(text) }
    #expect(error?.description.contains("training.min_learning_rate is 0.001, expected at most 0.0008333") == true)
  }

  @Test(
    "what makes no sense is refused",
    arguments: [
      ("training.rate_factors={B: 0}", "numbers above 0"), ("training.rate_factors={C: 1}", "numbers above 0"),
      ("training.rate_factors=2", "numbers above 0"), ("adapter.gamma=0", "adapter.gamma"),
      ("training.patience=0", "training.patience"), ("training.patience=2", "data.validation"),
      ("training.best_by=iou", "data.validation"), ("training.best_by=accuracy", "loss or exact_match"),
      ("adapter={kind: lora, gamma: 1}", "has no meaning"), ("training.loraplus_lr_ratio=16", "training.rate_factors"),
      ("training.early_stopping_patience=3", "training.patience"), ("data.scorer=f1", "vqa_accuracy"),
    ])
  func refused(override: String, words: String) throws {
    let error = #expect(throws: RunFileError.self) { try run(minimal, override) }
    #expect(error?.description.contains(words) == true, "\(error?.description ?? "")")
  }
}
