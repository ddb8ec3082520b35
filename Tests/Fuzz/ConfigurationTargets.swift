// config.json with generation_config.json, and the image processor's settings with what is computed from them.
import Files
import HuggingFace
import Preprocessing

extension FuzzTarget {
  private static let configs = ["config.json", "generation_config.json"]
  private static let processors = ["preprocessor_config.json", "processor_config.json"]

  static let configurations: [FuzzTarget] = [
    FuzzTarget(
      name: "config", dictionary: "config",
      format: .files(Dictionary(uniqueKeysWithValues: configs.map { ($0, .json) })),
      seeds: {
        let folder = "HuggingFaceTests/Resources"
        let generation = (configs[1], try Fixture.bytes("\(folder)/qwen2.5-vl/generation_config.json"))
        return try [
          FilesInput([(configs[0], Fixture.bytes("\(folder)/qwen2.5-vl/config.json")), generation]).bytes,
          FilesInput([(configs[0], Fixture.bytes("\(folder)/qwen3-vl/config.json")), generation]).bytes,
          FilesInput([(configs[0], Fixture.bytes("ParityTests/Resources/b/model/config.json"))]).bytes,
          FilesInput([(configs[0], Fixture.bytes("ParityTests/Resources/qwen3-vl/model/config.json"))]).bytes,
        ]
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: configs).files)
        let configuration = try ModelConfiguration(folder: WorkFolder.path)
        let axes = configuration.text.mropeAxes
        require(axes.count == configuration.text.headDimension / 2, "rotary pairs without an axis")
      }),
    FuzzTarget(
      name: "preprocessor", dictionary: "config",
      format: .files(Dictionary(uniqueKeysWithValues: processors.map { ($0, .json) })),
      seeds: {
        try [
          "HuggingFaceTests/Resources/qwen2.5-vl", "HuggingFaceTests/Resources/qwen3-vl",
          "ParityTests/Resources/a/model",
        ]
        .map { FilesInput([(processors[0], try Fixture.bytes("\($0)/preprocessor_config.json"))]).bytes }
          + [
            FilesInput([
              (processors[1], Array(#"{"image_processor": {"min_pixels": 784, "max_pixels": 50176}}"#.utf8))
            ]).bytes
          ]
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: processors).files)
        let processor = try ImageProcessor(PreprocessorConfiguration(folder: WorkFolder.path))
        for (width, height) in [(1, 1), (5, 3), (640, 480), (199, 1), (1, 200), (20_000, 4_000)] {
          let size = ImageSize(width: width, height: height)
          guard let frame = Refusal.allowing({ try processor.frame(of: size, name: "image") }) else { continue }
          let grid = processor.grid(of: frame)
          require(grid.tokens(mergeSize: processor.settings.mergeSize) > 0, "an image without tokens")
          guard width * height < 20, frame.resized.width * frame.resized.height < 1 << 16 else { continue }
          let image = RGBImage(width: width, height: height, pixels: Array(repeating: 9, count: 3 * width * height))
          let patches = try processor.process(image, name: "image").patches
          require(patches.count == grid.patches * processor.patchNumbers, "patches are not as many as the grid's")
        }
      }),
  ]
}
