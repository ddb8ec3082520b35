// A whole model folder, opened as every command opens it: the parts must agree with each other.
import Batches
import Files
import HuggingFace
import Inspection
import TinyModels

extension FuzzTarget {
  private static let parts = [
    "config.json", "generation_config.json", "preprocessor_config.json", "chat_template.json", "vocab.json",
    "merges.txt", "tokenizer_config.json", "model.safetensors",
  ]

  static let models: [FuzzTarget] = [
    FuzzTarget(
      name: "model", dictionary: "config",
      format: .files(
        Dictionary(
          uniqueKeysWithValues: parts.map { name in
            (name, name == "model.safetensors" ? .safetensors : name == "merges.txt" ? .bytes : .json)
          })),
      seeds: {
        try ModelConfiguration.Family.allCases.map { family in
          let model = try TinyModel(family)
          return FilesInput(
            try parts.map { ($0, Array(try readFile("\(model.folder)/\($0)", maximumBytes: 1 << 20))) }
          ).bytes
        }
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: parts).files)
        let base = try BaseModel(folder: WorkFolder.path)
        _ = try ModelDescription(base).lines
      })
  ]
}
