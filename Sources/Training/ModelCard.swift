// The README.md of an exported adapter: what it is, what it must be used with, and how it was trained.
import Adapters
import Foundation
import RunFile

/// A model card in Markdown.
public struct ModelCard {
  public let text: String

  /// Why an Image-LoRA is never merged into its base's weights, in one sentence.
  public static let whyNotMerged =
    "an Image-LoRA acts on visual tokens only, and a merged v_proj would act on every token: text would change too"

  /// The card of a checkpoint's adapter.
  /// - Throws: `HDF5Error` or `CheckpointError`.
  public init(_ file: borrowing CheckpointFile, configuration: ImageLoRAConfiguration, layout: AdapterLayout) throws {
    let provenance = try file.provenance()
    let steps = try file.step()
    var facts = [
      ("Optimizer steps", "\(steps)"),
      ("Rows seen", "\(try file.consumedRows())"),
      ("Ranks", "\(try file.worldSize())"),
      ("Seed", "\(try file.seed())"),
      ("Run digest", "`\(try file.runDigest())`"),
    ]
    if let last = try file.metrics().last { facts.append(("Loss of the last step", fixed(last.loss, 4))) }
    if let best = try file.best() {
      facts.append(("Lowest validation loss", "\(fixed(best.loss, 4)) at step \(best.step)"))
    }
    facts += try Self.settings(file.runYAML())
    let heads = layout.layers.map { "| \($0.index) | \($0.heads.map(String.init).joined(separator: ", ")) |" }
    text = """
      ---
      library_name: imagelora
      tags: [image-lora, qwen-vl, adapter]
      ---

      # Image-LoRA adapter

      \(layout.count) trained numbers for a Qwen-VL model: rank \(configuration.rank), alpha \(configuration.alpha), \
      normalization `\(configuration.normalization.rawValue)`, hidden size \(layout.hiddenSize), head dimension \
      \(layout.headDimension). Added to the output of `v_proj` at visual tokens `j` and the KV heads `h` below, with \
      `x` the input of `v_proj` and `c` = alpha / rank\
      \(configuration.normalization == .inverseSqrtSelected ? " / sqrt(selected heads of the layer)" : ""):

          v[j, h] += c * gamma * (x[j] A) B[h]

      `adapter.safetensors` holds, in fp32, `layers.{l}.A [H, r]`, `layers.{l}.B [heads, r, D]` (heads in ascending \
      order) and `layers.{l}.gamma []`; `adapter_config.json` the rest.

      ## Use it only with
      | | |
      | --- | --- |
      | Base model | weights of digest `\(provenance.baseDigest)` |
      | Pictures | resized to \(provenance.minPixels) to \(provenance.maxPixels) pixels |
      | Chat template | of digest `\(provenance.templateDigest)` |

      ## Never merge it
      Do not merge it into the base's weights: \(Self.whyNotMerged). Rows without pictures give the base model's \
      numbers, bit for bit, as long as the adapter stays beside the base.

      ## Heads (chosen by \(try file.selectionMethod()))
      | layer | KV heads |
      | --- | --- |
      \(heads.joined(separator: "\n"))

      ## Training
      | | |
      | --- | --- |
      \(facts.map { "| \($0.0) | \($0.1) |" }.joined(separator: "\n"))

      """
  }

  /// What the run file said of training, without paths of the machine it ran on; nothing where it cannot be read.
  private static func settings(_ yaml: String) -> [(String, String)] {
    guard let run = try? RunConfiguration(text: yaml, path: "/run.yaml") else { return [] }
    let training = run.training
    return [
      ("Rows of a step", "\(training.globalBatch)"),
      ("Peak learning rate", "\(training.learningRate), \(training.schedule.rawValue)"),
      ("AdamW", "betas \(training.beta1), \(training.beta2); weight decay \(training.weightDecay)"),
      ("Gradient norm clipped at", "\(training.maxGradientNorm)"),
      ("Arithmetic", (run.model.precision ?? .fp32).rawValue),
      ("Data", "`\((run.data.train.resolved as NSString).lastPathComponent)`"),
    ]
  }
}
