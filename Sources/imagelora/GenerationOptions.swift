// The options that generate and chat share: the model with its adapter, and how answers are decoded.
import Adapters
import ArgumentParser
import Artifacts
import Batches
import Evaluation
import Foundation
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

/// How tokens are chosen.
struct DecodingOptions: ParsableArguments {
  @Option(help: ArgumentHelp("0: the most likely token each time. Otherwise tokens are sampled.", valueName: "t"))
  var temperature = 0.0
  @Option(help: ArgumentHelp("Sample from the most likely tokens whose probabilities add up to p.", valueName: "p"))
  var topP = 1.0
  @Option(help: ArgumentHelp("Of sampling; each example draws from its own stream.", valueName: "n"))
  var seed: UInt64 = 0
  @Option(
    help: ArgumentHelp(
      "A text that ends an answer and is no part of it; can be given several times.", valueName: "text"))
  var stop: [String] = []

  func validate() throws {
    guard temperature >= 0, temperature <= 100 else {
      throw ValidationError("--temperature \(temperature): give 0 to 100")
    }
    guard topP > 0, topP <= 1 else { throw ValidationError("--top-p \(topP): give a number above 0, at most 1") }
    guard !stop.contains("") else { throw ValidationError("--stop: an empty text ends nothing") }
    guard temperature > 0 || (topP == 1 && seed == 0) else {
      throw ValidationError("--top-p and --seed have no effect without --temperature above 0")
    }
  }

  var decoding: Decoding { Decoding(temperature: temperature, topP: topP, seed: seed, stops: stop) }
}

/// A model that answers prompts.
struct GenerationOptions: ParsableArguments {
  @Option(help: "The base model's folder.") var model: String
  @Option(help: ArgumentHelp("The checkpoint whose adapter to use.", valueName: "C.h5")) var checkpoint: String?
  @Option(help: ArgumentHelp("An adapter folder to use: from imagelora export, or a LoRA of PEFT.", valueName: "dir"))
  var adapter: String?
  @Option(help: "The system message, instead of the chat template's default.") var system: String?
  @Option(
    help: ArgumentHelp(
      "A variable for the chat template to read; can be given several times.", valueName: "name=value"))
  var template: [String] = []
  @Option(help: ArgumentHelp("Maximum length of an answer, in tokens.", valueName: "n")) var maxNewTokens = 128
  @Option(help: ArgumentHelp("Minimum number of pixels of a resized image.", valueName: "n")) var minPixels: Int?
  @Option(help: ArgumentHelp("Maximum number of pixels of a resized image.", valueName: "n")) var maxPixels: Int?
  @Option(help: "Compute precision; bf16 by default if checkpoint and processor have it, otherwise fp32.")
  var precision: Precision?
  @Option(help: ArgumentHelp("Number of GEMM threads.", valueName: "n")) var threads = 1
  @OptionGroup var decoding: DecodingOptions

  func validate() throws {
    guard checkpoint == nil || adapter == nil else { throw ValidationError("give --checkpoint or --adapter, not both") }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens \(maxNewTokens): an answer has at least 1") }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads \(threads): give 1 to 1024") }
    for (name, value) in [("--min-pixels", minPixels), ("--max-pixels", maxPixels)] where value ?? 1 < 1 {
      throw ValidationError("\(name) \(value ?? 0): an image has at least 1 pixel")
    }
    _ = try templateVariables()
  }

  /// Opens the base model and the adapter; pixel limits and template variables are the adapter's unless stated.
  func open() throws -> (base: BaseModel, adapter: (any ProjectionAdapter<Float>)?, samples: SampleBuilder) {
    setGEMMThreads(threads)
    let source = checkpoint.map(AdapterSource.checkpoint) ?? adapter.map(AdapterSource.folder)
    let provenance = try source?.provenance()
    let base = try BaseModel(
      folder: model, precision: precision, minPixels: minPixels ?? provenance?.minPixels,
      maxPixels: maxPixels ?? provenance?.maxPixels,
      templateVariables: try templateVariables() ?? provenance?.templateVariables ?? TemplateVariables(),
      reading: provenance?.reading ?? ImageReading())
    base.notices.forEach(complain)
    if let source {
      let current = AdapterProvenance(of: base)
      try provenance?.requireMatch(current, folder: base.folder, file: source.path) { key, value in
        if key == "model.template" { return "the same with --template, or omit the option" }
        let option = key.split(separator: ".").last?.replacing("_", with: "-") ?? ""
        return "--\(option) \(value), or omit the option"
      }
    }
    let samples = try base.sampleBuilder(maxLength: base.configuration.text.maxPositionEmbeddings)
    return (base, try source?.load(for: base), samples)
  }

  /// What `--template` gives; nil where it is not given.
  private func templateVariables() throws -> TemplateVariables? {
    if template.isEmpty { return nil }
    let values = try template.map { option -> (name: String, value: TemplateVariables.Value) in
      guard let equals = option.firstIndex(of: "=") else {
        throw ValidationError("--template \(option): give name=value, as enable_thinking=false")
      }
      let text = String(option[option.index(after: equals)...])
      let value = Bool(text).map(TemplateVariables.Value.bool) ?? Int(text).map(TemplateVariables.Value.integer)
      return (String(option[..<equals]), value ?? .text(text))
    }
    guard let variables = TemplateVariables(values) else {
      throw ValidationError("--template: a name is letters, digits and _, each name once")
    }
    return variables
  }
}
