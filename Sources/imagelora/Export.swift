// imagelora export: a checkpoint's adapter as files that other programs read.
import Adapters
import ArgumentParser
import Training
import Units

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint's adapter as safetensors, with its configuration and a model card.",
    discussion: """
      The folder holds adapter.safetensors (fp32), adapter_config.json and README.md. The checkpoint is enough; with \
      --model the base is opened too, and refused if it is not the one that the adapter was trained on.

      Examples:
        imagelora export checkpoints/best.h5 --output my-adapter
        imagelora export checkpoints/latest.h5 --output my-adapter --model DIR

      There is no merged export: \(ModelCard.whyNotMerged).
      """)

  @Argument(help: "The checkpoint (HDF5); its .sha256 lies beside it.") var checkpoint: String
  @Option(help: "The folder to make.") var output: String
  @Option(help: "The base model's folder, to check that the adapter is its own.") var model: String?
  @Flag(help: "Refused: an Image-LoRA cannot be merged.") var merge = false

  func run() throws {
    if merge {
      complain("--merge: \(ModelCard.whyNotMerged); leave it out and load the adapter beside its base")
      throw ExitCode(ExitStatus.badUsage)
    }
    try onRanks { communicator in
      guard communicator.rank == 0 else { return }
      try CheckpointStore.verify(checkpoint)
      let file = try CheckpointFile(checkpoint)
      let (configuration, layout) = try file.adapter()
      if let model { try file.require(BaseModel(folder: model), layout: layout) }
      let provenance = try file.provenance()
      var config = AdapterFiles.Config(configuration)
      config.base_digest = provenance.baseDigest
      config.min_pixels = provenance.minPixels
      config.max_pixels = provenance.maxPixels
      config.chat_template_digest = provenance.templateDigest
      let card = try ModelCard(file, configuration: configuration, layout: layout)
      try AdapterFiles.export(
        config, layout: layout, parameters: file.numbers(layout: layout), card: card.text, to: output)
      say("wrote \(output): \(layout.count) numbers in \(layout.layers.count) layers, read back and compared")
    }
  }
}
