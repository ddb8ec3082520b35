// imagelora generate: one answer to a prompt with images.
import ArgumentParser
import Artifacts
import Batches
import Datasets
import Evaluation
import Foundation
import HuggingFace
import Preprocessing
import Tensors

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate one answer to a prompt with images, greedily, with or without an adapter.",
    discussion: """
      Each <image> in the prompt is the place of one image, in the order of the --image options. Without any <image> \
      the images come first. Pixel limits and variables of the chat template are the adapter's if it has them. Points and \
      boxes in the answer are in pixels of the resized image (Qwen2.5-VL) or in thousandths of its sides (the other families).

      Examples:
        imagelora generate --model Qwen2.5-VL-3B \\
          --image screen.png --prompt "Where is the search button?"
        imagelora generate --model Qwen3.5-4B --template enable_thinking=false \\
          --image screen.png --prompt "Where is the search button?"
        imagelora generate --model Qwen2.5-VL-3B --checkpoint best.h5 \\
          --image a.png --image b.png --prompt "<image>and<image>: compare"
      """)

  @Option(help: "The base model's folder.") var model: String
  @Option(help: ArgumentHelp("The checkpoint whose adapter to use.", valueName: "C.h5")) var checkpoint: String?
  @Option(help: ArgumentHelp("An adapter folder to use: from imagelora export, or a LoRA of PEFT.", valueName: "dir"))
  var adapter: String?
  @Option(
    help: ArgumentHelp(
      "An image (PNG, JPEG, WebP, GIF, BMP or TIFF); can be given several times.", valueName: "file"))
  var image: [String] = []
  @Option(help: "The question to the model.") var prompt: String
  @Option(help: "The system message, instead of the chat template's default.") var system: String?
  @Option(
    help: ArgumentHelp(
      "A variable for the chat template to read; can be given several times.", valueName: "name=value"))
  var template: [String] = []
  @Option(help: ArgumentHelp("Maximum length of the answer, in tokens.", valueName: "n")) var maxNewTokens = 128
  @Option(help: ArgumentHelp("Minimum number of pixels of a resized image.", valueName: "n")) var minPixels: Int?
  @Option(help: ArgumentHelp("Maximum number of pixels of a resized image.", valueName: "n")) var maxPixels: Int?
  @Option(help: "Compute precision; bf16 by default if checkpoint and processor have it, otherwise fp32.")
  var precision: Precision?
  @Option(help: ArgumentHelp("Number of GEMM threads.", valueName: "n")) var threads = 1

  func validate() throws {
    guard checkpoint == nil || adapter == nil else { throw ValidationError("give --checkpoint or --adapter, not both") }
    guard maxNewTokens > 0 else { throw ValidationError("--max-new-tokens \(maxNewTokens): an answer has at least 1") }
    guard (1...1024).contains(threads) else { throw ValidationError("--threads \(threads): give 1 to 1024") }
    for (name, value) in [("--min-pixels", minPixels), ("--max-pixels", maxPixels)] where value ?? 1 < 1 {
      throw ValidationError("\(name) \(value ?? 0): an image has at least 1 pixel")
    }
    _ = try templateVariables()
    guard !prompt.isEmpty || !image.isEmpty else { throw ValidationError("--prompt is empty and there is no --image") }
    let places = prompt.components(separatedBy: "<image>").count - 1
    guard places == 0 || places == image.count else {
      throw ValidationError("the prompt has \(places) <image> but \(image.count) --image are given")
    }
  }

  func run() throws {
    try onFirstRank {
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
      let loaded = try source?.load(for: base)
      let samples = try base.sampleBuilder(maxLength: base.configuration.text.maxPositionEmbeddings)
      let sample = try samples.prompt(for: example).sample
      try base.imageNotices(of: example, sample).forEach(complain)
      let features = try base.featureStore.features(of: example, sample: sample)
      var answer = GrowingAnswer()
      let generation = try Generator(base, maxNewTokens: maxNewTokens)
        .run([EvaluationGroup(prompts: [sample], features: features)], adapter: loaded) { _, token in
          answer.add(base.tokenizer.bytes(of: token))
        }.generations[0]
      answer.end()
      try base.requireUnchanged()
      if generation.endToken == nil {
        complain("the answer was truncated after \(maxNewTokens) tokens; raise --max-new-tokens for the rest")
      }
    }
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

  /// The prompt as an example without an answer.
  private var example: Example {
    var parts: [ContentPart] = []
    var placed = 0
    let pieces = prompt.components(separatedBy: "<image>")
    for (index, piece) in pieces.enumerated() {
      if index > 0 {
        parts.append(.image(placed))
        placed += 1
      }
      if !piece.isEmpty { parts.append(.text(piece)) }
    }
    parts = (placed..<image.count).map(ContentPart.image) + parts
    let messages =
      (system.map { [Message(role: .system, content: [.text($0)])] } ?? [])
      + [Message(role: .user, content: parts)]
    return Example(id: "prompt", line: 1, images: image.map { ImageSource.file($0) }, messages: messages)
  }
}
