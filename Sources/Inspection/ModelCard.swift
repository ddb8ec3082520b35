// The README.md of an exported adapter: what it is, what it must be used with, and how it was trained.
import Adapters
import Artifacts
import Formatting
import Foundation
import HuggingFace
import RunFile

/// A model card in Markdown.
package struct ModelCard {
  package let text: String

  /// Why an Image-LoRA is never merged into its base's weights, in one sentence.
  package static let whyNotMerged =
    "an Image-LoRA acts on visual tokens only, and a merged v_proj would act on every token: text would change too"

  /// The card of a checkpoint's adapter.
  /// - Parameter base: the base model's name, where it is known.
  /// - Throws: `HDF5Error` or `FileError`.
  package init(
    _ file: borrowing CheckpointFile, base: ModelName?, configuration: AdapterConfiguration, layout: AdapterLayout
  ) throws {
    let provenance = try file.provenance()
    var facts = [
      ("Optimizer steps", "\(try file.step())"),
      ("Examples seen", "\(try file.consumedExamples())"),
      ("Ranks", "\(try file.worldSize())"),
      ("Seed", "\(try file.seed())"),
      ("Run digest", "`\(try file.runDigest())`"),
    ]
    if let last = try file.metrics().last { facts.append(("Loss of the last step", fixed(last.loss, 4))) }
    if let best = try file.best() {
      facts.append(("Lowest validation loss", "\(fixed(best.loss, 4)) at step \(best.step)"))
    }
    facts += try Self.settings(file.runYAML())
    let kind =
      switch configuration {
      case .imageLoRA(let options):
        try Self.imageLoRA(options, base: base, layout: layout, selection: file.selectionMethod())
      case .lora(let options): Self.lora(options, base: base, layout: layout)
      }
    text = """
      \(kind.head)

      ## Use it only with
      | | |
      | --- | --- |
      \(Self.use(provenance, base).map { "| \($0.0) | \($0.1) |" }.joined(separator: "\n"))

      \(kind.use)

      ## Training
      | | |
      | --- | --- |
      \(facts.map { "| \($0.0) | \($0.1) |" }.joined(separator: "\n"))

      """
  }

  private static func use(_ provenance: AdapterProvenance, _ base: ModelName?) -> [(String, String)] {
    let name = base.map { "`\($0.name)`" + ($0.revision.map { ", revision `\($0)`" } ?? "") }
    let weights = provenance.baseDigest.map { "weights of digest `\($0)`" }
    let model = [name, weights].compactMap(\.self).joined(separator: ", ")
    return [
      model.isEmpty ? nil : ("Base model", model),
      provenance.minPixels.flatMap { least in
        provenance.maxPixels.map { ("Images", "resized to \(least) to \($0) pixels") }
      },
      provenance.templateDigest.map { ("Chat template", "of digest `\($0)`") },
      provenance.templateVariables.map { ("Variables of the template", "`\($0.canonical)`") },
      provenance.transparency.map { ("Transparent pixels", $0 == .white ? "laid on white" : "without their alpha") },
      provenance.exifOrientation.map { ("EXIF orientation", $0 == .apply ? "applied" : "not applied") },
      provenance.coordinates.map { ("Places in texts", "in coordinates `\($0.rawValue)`") },
    ].compactMap(\.self)
  }

  /// What it is, and how it is to be used.
  private typealias Kind = (head: String, use: String)

  /// The line of the card's metadata that names the base's repository on Hugging Face, which reads it.
  private static func metadata(_ base: ModelName?) -> String {
    base?.isRepository == true ? "base_model: \(base?.name ?? "")\n" : ""
  }

  private static func lora(_ options: LoRAConfiguration, base: ModelName?, layout: AdapterLayout) -> Kind {
    let targets = options.kinds.map { "`\($0)`" }.joined(separator: ", ")
    let others = Set(options.ranks.keys).union(options.alphas.keys).count
    let exceptions = others > 0 ? " (\(others) modules have ranks or alphas of their own)" : ""
    let head = """
      ---
      \(metadata(base))library_name: peft
      tags: [lora, adapter]
      ---

      # LoRA adapter

      \(layout.count) trainable parameters: rank \(options.rank), alpha \(options.alpha), on \(targets) of \
      \(options.targets.count) decoder layers, at all tokens\(exceptions):

          y += alpha / rank * (x A^T) B^T

      The files are PEFT's: `adapter_model.safetensors` in fp32 and `adapter_config.json`; `conditions.json` states what \
      it must be used with.
      """
    let use = """
      ## With PEFT
          model = PeftModel.from_pretrained(base, "this folder")
      """
    return (head, use)
  }

  private static func imageLoRA(
    _ configuration: ImageLoRAConfiguration, base: ModelName?, layout: AdapterLayout, selection: String
  ) throws -> Kind {
    let heads = configuration.heads.sorted { $0.key < $1.key }.map { layer, heads in
      let kind = configuration.valueHeadIndices[layer] == nil ? "KV" : "value (linear attention)"
      return "| \(layer) | \(kind) | \(heads.map(String.init).joined(separator: ", ")) |"
    }
    // The widths follow from the shapes of A [H, r] and B [heads, r, D].
    let (hiddenSize, headDimension) = (
      layout.tensors.first?.shape[0] ?? 0, layout.tensors.dropFirst().first?.shape[2] ?? 0
    )
    let head = """
      ---
      \(metadata(base))library_name: imagelora
      tags: [image-lora, vision-language-model, adapter]
      ---

      # Image-LoRA adapter

      \(layout.count) trainable parameters: rank \(configuration.rank), alpha \(configuration.alpha), \
      normalization `\(configuration.normalization.rawValue)`, hidden size \(hiddenSize), head dimension \
      \(headDimension). Added at visual tokens `j` and the heads `h` below \(Self.places(configuration)), with \
      `x` the input of that projection and `c` = alpha / rank\
      \(configuration.normalization == .inverseSqrtSelected ? " / sqrt(selected heads of the layer)" : ""):

          v[j, h] += c * gamma * (x[j] A) B[h]

      `adapter.safetensors` holds, in fp32, `layers.{l}.A [H, r]`, `layers.{l}.B [heads, r, D]` (heads in ascending \
      order) and `layers.{l}.gamma []`; `adapter_config.json` the rest.
      """
    let use = """
      ## With transformers
          import image_lora  # image_lora.py of this folder, which needs torch and safetensors
          with image_lora.apply(model, "this folder"):
              output = model.generate(**inputs)

      `apply` adds the adapter to a model of `from_pretrained` until the end of the `with`, and refuses another base. \
      Give the processor the sizes of images above. `python image_lora_pt.py to-pt "this folder" adapter.pt` writes \
      the form that the method's authors use (arXiv 2512.19219).

      ## Never merge it
      Do not merge it into the base's weights: \(Self.whyNotMerged). Examples without images give the base model's \
      numbers, bit for bit, as long as the adapter is kept apart from the base's weights.

      ## Heads (chosen by \(selection))
      | layer | kind | heads |
      | --- | --- | --- |
      \(heads.joined(separator: "\n"))
      """
    return (head, use)
  }

  /// What the adapter adds to.
  private static func places(_ configuration: ImageLoRAConfiguration) -> String {
    [
      configuration.kvIndices.isEmpty ? nil : "to the output of `v_proj` (KV heads)",
      configuration.valueHeadIndices.isEmpty
        ? nil : "to the values in the output of `in_proj_qkv`, before the convolution (value heads)",
    ].compactMap(\.self).joined(separator: ", and ")
  }

  /// The name of the base, by its folder as the run had it; nil where the run cannot be read.
  package static func baseName(_ file: borrowing CheckpointFile) -> ModelName? {
    let run = try? RunConfiguration(text: file.runYAML(), path: "/run.yaml")
    return run.map { ModelName(folder: $0.model.path.resolved) }
  }

  /// The run file's settings of training, without paths of the machine it ran on; nothing where it cannot be read.
  private static func settings(_ yaml: String) -> [(String, String)] {
    guard let run = try? RunConfiguration(text: yaml, path: "/run.yaml") else { return [] }
    let training = run.training
    return [
      ("Examples of a step", "\(training.globalBatch)"),
      (
        "Peak learning rate",
        "\(training.learningRate.map { "\($0)" } ?? "by the model's width"), \(training.schedule.rawValue)"
      ),
      ("AdamW", "betas \(training.beta1), \(training.beta2); weight decay \(training.weightDecay)"),
      ("Gradient norm clipped at", "\(training.maxGradientNorm)"),
      ("Compute precision", (run.model.precision ?? .float32).rawValue),
      (
        "Data",
        run.data.train.files.map { "`\(($0.path.resolved as NSString).lastPathComponent)`" }.joined(separator: ", ")
      ),
    ]
  }
}
