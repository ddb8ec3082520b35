// imagelora export: a checkpoint's adapter as files that other programs read.
import Adapters
import ArgumentParser
import Artifacts
import Batches
import Files
import HuggingFace
import Inspection
import QwenVL

struct Export: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a checkpoint's adapter as safetensors, with its configuration and a model card.",
    discussion: """
      The folder of an Image-LoRA has adapter.safetensors (fp32), adapter_config.json, README.md, image_lora.py, which \
      puts it on a model of transformers in Python, and image_lora_pt.py, which writes and reads the .pt files of the \
      method's authors. The folder of a LoRA has adapter_model.safetensors and \
      adapter_config.json, in PEFT's format. It needs only the checkpoint. With --model the command also opens the \
      base model, and fails if the adapter was trained on another one.

      Examples:
        imagelora export checkpoints/best.h5 --output my-adapter
        imagelora export checkpoints/latest.h5 --output my-adapter --model DIR
        imagelora export checkpoints/best.h5 --merged my-model --model DIR

      --merged adds a LoRA to the weights of the base model given by --model, W + (alpha / rank) B A, keeps the types \
      in which they are stored, and writes a complete model folder. An Image-LoRA cannot be merged: \
      \(ModelCard.whyNotMerged).
      """)

  @Argument(help: "The checkpoint (HDF5), with its .sha256 file next to it.") var checkpoint: String
  @Option(help: ArgumentHelp("The adapter folder to write.", valueName: "dir")) var output: String?
  @Option(help: "The base model's folder, to check that the adapter belongs to it.") var model: String?
  @Option(help: ArgumentHelp("The folder of the merged model to write (LoRA only, with --model).", valueName: "dir"))
  var merged: String?

  func validate() throws {
    guard output != nil || merged != nil else { throw ValidationError("give --output DIR or --merged DIR") }
    guard merged == nil || model != nil else { throw ValidationError("--merged needs the base: give --model DIR") }
  }

  func run() throws {
    try onFirstRank {
      try CheckpointFolder.verify(checkpoint)
      let file = try CheckpointFile(checkpoint)
      let (configuration, layout) = try file.adapter()
      if merged != nil, case .imageLoRA = configuration {
        throw FileError(checkpoint, "cannot be merged: \(ModelCard.whyNotMerged)", remedy: "export it with --output")
      }
      let base = try model.map { try BaseModel(folder: $0) }
      let name = model.map { ModelName(folder: $0) } ?? ModelCard.baseName(file)
      if let base {
        _ = try file.adapter(for: base)
        try file.provenance().requireMatch(
          AdapterProvenance(of: base), of: [.base, .template], folder: base.folder, file: checkpoint)
      }
      let parameters = try file.parameters(layout: layout)
      if let output {
        try AdapterFolder.export(
          configuration, provenance: file.provenance(), layout: layout, parameters: parameters,
          card: ModelCard(file, base: name, configuration: configuration, layout: layout).text, base: name,
          path: name?.isRepository == true ? nil : model, to: output)
        let layers = configuration.layers.count
        say("wrote \(output): \(layout.count) parameters in \(layers) layers, read back and compared")
      }
      if let merged, let base, case .lora(let options) = configuration {
        let adapter = LoRA<Float>(
          options, text: base.configuration.text, vision: base.configuration.vision)
        adapter.load(parameters)
        try AdapterFolder.merge(adapter, base: base.folder, to: merged)
        say("wrote \(merged): \(base.folder) with \(layout.tensors.count / 2) weights changed")
      }
    }
  }
}
