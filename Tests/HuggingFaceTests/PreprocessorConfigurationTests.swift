// preprocessor_config.json in its older and newer spelling.
import Foundation
import TestSupport
import Testing

@testable import HuggingFace

@Suite struct PreprocessorConfigurationTests {
  @Test("The released file of Qwen2.5-VL")
  func released() throws {
    let configuration = try PreprocessorConfiguration(folder: Fixtures.path("qwen2.5-vl"))
    #expect(configuration.minPixels == 3136 && configuration.maxPixels == 12_845_056)
    #expect(configuration.patchSize == 14 && configuration.temporalPatchSize == 2 && configuration.mergeSize == 2)
    #expect(configuration.imageMean == [0.48145466, 0.4578275, 0.40821073])
    #expect(configuration.imageStd == [0.26862954, 0.26130258, 0.27577711])
    #expect(configuration.rescaleFactor == 1.0 / 255)
  }

  @Test("A file of the fast processor, with size, nulls and all switches spelled out")
  func fast() throws {
    let configuration = try PreprocessorConfiguration(folder: Fixtures.path("qwen3-vl"))
    #expect(configuration.minPixels == 4096 && configuration.maxPixels == 1_310_720 && configuration.patchSize == 16)
    #expect(configuration.imageMean == [0.5, 0.5, 0.5] && configuration.rescaleFactor == 0.00392156862745098)
  }

  @Test("Limits: min_pixels and max_pixels win over size, size over the defaults; processor_config.json is read first")
  func limits() throws {
    let folder = try TemporaryFolder([
      "preprocessor_config.json": #"{"size": {"shortest_edge": 10, "longest_edge": 20}, "max_pixels": 30}"#
    ])
    let first = try PreprocessorConfiguration(folder: folder.path)
    #expect(first.minPixels == 10 && first.maxPixels == 30 && first.imageMean.count == 3)
    try folder.write("preprocessor_config.json", Array("{}".utf8))
    let second = try PreprocessorConfiguration(folder: folder.path)
    #expect(second.minPixels == 3136 && second.maxPixels == 1_003_520)
    try folder.write("processor_config.json", Array(#"{"image_processor": {"min_pixels": 7, "patch_size": 16}}"#.utf8))
    let third = try PreprocessorConfiguration(folder: folder.path)
    #expect(third.minPixels == 7 && third.patchSize == 16)
  }

  /// Forms as `Qwen2VLImageProcessor` of transformers 5.23 reads them: limits, or a word of why it fails as well.
  static let forms: [(form: String, limits: [Int], word: String)] = [
    (#"{"min_pixels": 784, "max_pixels": 78400}"#, [784, 78400], ""),
    (#"{"min_pixels": 78400}"#, [78400, 1_003_520], ""), (#"{"max_pixels": 78400}"#, [3136, 78400], ""),
    (#"{"size": {"shortest_edge": 784, "longest_edge": 78400}}"#, [784, 78400], ""),
    (#"{"size": {"shortest_edge": 784}}"#, [], "size.longest_edge"),
    (#"{"size": {"longest_edge": 78400}}"#, [], "size.shortest_edge"),
    (#"{"size": {"shortest_edge": 784}, "max_pixels": 78400}"#, [784, 78400], ""),
    (#"{"size": {"longest_edge": 78400}, "min_pixels": 784}"#, [784, 78400], ""),
    (#"{"size": {"shortest_edge": 31, "longest_edge": 99}, "min_pixels": 784, "max_pixels": 785}"#, [784, 785], ""),
    (#"{"size": {"shortest_edge": 31, "longest_edge": 78400}, "min_pixels": 784}"#, [784, 78400], ""),
    (#"{"size": {"shortest_edge": 784, "longest_edge": 99}, "max_pixels": 78400}"#, [784, 78400], ""),
    (
      #"{"size": {"shortest_edge": 784, "longest_edge": 78400}, "min_pixels": null, "max_pixels": null}"#,
      [784, 78400], ""
    ),
    (#"{"size": {"min_pixels": 784, "max_pixels": 78400}}"#, [], "min_pixels beside size"),
    (#"{"size": {"min_pixels": 1, "max_pixels": 9}, "min_pixels": 784, "max_pixels": 78400}"#, [784, 78400], ""),
    (#"{"size": {"min_pixels": 784, "max_pixels": 9}, "max_pixels": 78400}"#, [], "min_pixels beside size"),
    (#"{"size": {"min_pixels": 784, "max_pixels": 9}, "min_pixels": 784}"#, [], "max_pixels beside size"),
    (
      #"{"size": {"min_pixels": 1, "max_pixels": 2, "shortest_edge": 784, "longest_edge": 78400}}"#, [],
      "size.min_pixels 1"
    ),
    (
      #"{"size": {"min_pixels": 1, "max_pixels": 2, "shortest_edge": 7, "longest_edge": 8}, "min_pixels": 784, "#
        + #""max_pixels": 78400}"#, [784, 78400], ""
    ),
    (#"{"size": null, "max_pixels": 78400}"#, [3136, 78400], ""),
    (#"{"size": {"shortest_edge": null, "longest_edge": 78400}}"#, [], "size.shortest_edge"),
    (#"{"size": {"shortest_edge": null, "longest_edge": 78400}, "min_pixels": 784}"#, [784, 78400], ""),
    (#"{"size": 224}"#, [], "size 224"), (#"{"size": 224, "min_pixels": 784, "max_pixels": 78400}"#, [], "size 224"),
    (#"{"size": {}}"#, [], "size.shortest_edge"),
    (#"{"size": {}, "min_pixels": 784, "max_pixels": 78400}"#, [784, 78400], ""),
    (#"{"size": {"height": 224, "width": 224}}"#, [], "size.height"),
    (#"{"size": {"height": 224, "width": 224}, "min_pixels": 784, "max_pixels": 78400}"#, [], "size.height"),
    (#"{"size": {"shortest_edge": 784, "longest_edge": 78400, "more": 1}}"#, [], "size.more"),
    (#"{"min_pixels": 784.0, "max_pixels": 78400.0}"#, [784, 78400], ""),
    (#"{"size": {"shortest_edge": 784.0, "longest_edge": 7.84e4}}"#, [784, 78400], ""),
    (#"{"min_pixels": 784.5}"#, [], "784.5"), (#"{"max_pixels": "78400"}"#, [], #""78400""#),
    (#"{"max_pixels": true}"#, [], "true"), (#"{"image_processor_type": "CLIPImageProcessor"}"#, [], "CLIPImage"),
    (#"{"image_processor_type": "Qwen2VLImageProcessorPil", "max_pixels": 78400}"#, [3136, 78400], ""),
  ]

  @Test("Pixel limits in every form, in both files", arguments: forms)
  func pixelForms(_ item: (form: String, limits: [Int], word: String)) throws {
    let nested = #"{"processor_class": "Qwen2_5_VLProcessor", "image_processor": \#(item.form)}"#
    let other = #"{"min_pixels": 11, "max_pixels": 12}"#
    for folder in [
      try TemporaryFolder(["preprocessor_config.json": item.form, "video_preprocessor_config.json": other]),
      try TemporaryFolder(["processor_config.json": nested, "preprocessor_config.json": other]),
      try TemporaryFolder([
        "processor_config.json": #"{"image_processor": null, "max_pixels": 5, "video_processor": \#(other)}"#,
        "preprocessor_config.json": item.form,
      ]),
    ] {
      guard item.limits.isEmpty else {
        let found = try PreprocessorConfiguration(folder: folder.path)
        #expect([found.minPixels, found.maxPixels] == item.limits, "\(item.form)")
        continue
      }
      expectError("processor_config.json", item.word) { _ = try PreprocessorConfiguration(folder: folder.path) }
    }
  }

  @Test(
    "What would give other pixels is refused by name",
    arguments: [
      (#"{"do_resize": false}"#, "do_resize"), (#"{"do_normalize": false}"#, "do_normalize"),
      (#"{"do_rescale": false}"#, "do_rescale"), (#"{"do_convert_rgb": false}"#, "do_convert_rgb"),
      (#"{"do_center_crop": true}"#, "do_center_crop"), (#"{"resample": 2}"#, "resample"),
      (#"{"size": {"height": 5, "width": 5}}"#, "size.height"), (#"{"min_pixels": 0}"#, "min_pixels"),
      (#"{"min_pixels": 9, "max_pixels": 8}"#, "min_pixels"), (#"{"max_pixels": 99999999999}"#, "max_pixels"),
      (#"{"image_mean": [0.5, 0.5]}"#, "image_mean"), (#"{"image_std": [0, 0, 0]}"#, "image_std"),
      (#"{"image_mean": ["a", 1, 2]}"#, "image_mean"), (#"{"patch_size": -1}"#, "patch_size"),
      (#"{"rescale_factor": 0}"#, "rescale_factor"), (#"[]"#, "expected an object"),
    ])
  func refused(_ file: (String, String)) throws {
    let folder = try TemporaryFolder(["preprocessor_config.json": file.0])
    expectError("preprocessor_config.json", file.1) { _ = try PreprocessorConfiguration(folder: folder.path) }
  }
}
