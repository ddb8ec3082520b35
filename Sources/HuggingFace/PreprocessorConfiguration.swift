// How an image becomes patches, as preprocessor_config.json states it (transformers' `Qwen2VLImageProcessor`).

/// Pixel limits, patch geometry and colour normalisation of a model's image processor.
package struct PreprocessorConfiguration: Sendable, Equatable {
  /// Fewest pixels of a resized image.
  package var minPixels: Int
  /// Most pixels of a resized image.
  package var maxPixels: Int
  /// Side of a patch in pixels.
  package var patchSize: Int
  /// Frames in a patch; a still image is repeated.
  package var temporalPatchSize: Int
  /// Side of the square of patches that the merger joins into one token.
  package var mergeSize: Int
  /// Mean of red, green and blue, subtracted after rescaling.
  package var imageMean: [Double]
  /// Standard deviation of red, green and blue, divided by after the mean.
  package var imageStd: [Double]
  /// Factor of the 8-bit values before normalisation.
  package var rescaleFactor: Double

  /// Defaults are those of the released Qwen2.5-VL.
  package init(
    minPixels: Int = 3136, maxPixels: Int = 12_845_056, patchSize: Int = 14, temporalPatchSize: Int = 2,
    mergeSize: Int = 2, imageMean: [Double] = [0.48145466, 0.4578275, 0.40821073],
    imageStd: [Double] = [0.26862954, 0.26130258, 0.27577711], rescaleFactor: Double = 1 / 255
  ) {
    self.minPixels = minPixels
    self.maxPixels = maxPixels
    self.patchSize = patchSize
    self.temporalPatchSize = temporalPatchSize
    self.mergeSize = mergeSize
    self.imageMean = imageMean
    self.imageStd = imageStd
    self.rescaleFactor = rescaleFactor
  }

  /// Reads processor_config.json's `image_processor` where present and preprocessor_config.json otherwise, as
  /// transformers 5 does; `min_pixels` and `max_pixels` win over `size`, absent keys take transformers' defaults.
  ///
  /// - Throws: `HuggingFaceError` that names the key which is out of range or asks for another preprocessing.
  package init(folder: String) throws {
    let files = ModelFolder(path: folder)
    let nested =
      files.contains("processor_config.json")
      ? try files.fields("processor_config.json").object("image_processor") : nil
    try self.init(nested ?? files.fields("preprocessor_config.json"))
  }

  private init(_ fields: Fields) throws {
    for key in ["do_resize", "do_rescale", "do_normalize", "do_convert_rgb"] {
      try fields.require(key, toBe: .bool(true))
    }
    for key in ["do_center_crop", "do_pad"] { try fields.require(key, toBe: .bool(false)) }
    try fields.require("resample", toBe: .integer(3))
    let pixels = 1...(1 << 30)
    let size = try fields.object("size")
    for key in ["height", "width"] where size?[key] != nil {
      throw fields.unsupported("size.\(key)", use: "size.shortest_edge and size.longest_edge")
    }
    func limit(_ key: String, _ edge: String, _ fallback: Int) throws -> Int {
      let inSize = try size?.integer(edge, in: pixels, default: fallback)
      return try fields.integer(key, in: pixels, default: inSize ?? fallback)
    }
    minPixels = try limit("min_pixels", "shortest_edge", 56 * 56)
    maxPixels = try limit("max_pixels", "longest_edge", 28 * 28 * 1280)
    guard minPixels <= maxPixels else {
      throw fields.failure("min_pixels", "\(minPixels) is more than max_pixels, \(maxPixels)")
    }
    patchSize = try fields.integer("patch_size", in: 1...1024, default: 14)
    temporalPatchSize = try fields.integer("temporal_patch_size", in: 1...64, default: 2)
    mergeSize = try fields.integer("merge_size", in: 1...64, default: 2)
    rescaleFactor = try fields.number("rescale_factor", in: 1e-6...1, default: 1.0 / 255)
    func perChannel(_ key: String, in range: ClosedRange<Double>, default fallback: [Double]) throws -> [Double] {
      let given = try fields.array(key, default: fallback.map { .number($0) })
      let numbers = given.compactMap(Fields.number).filter(range.contains)
      guard given.count == 3, numbers.count == 3 else {
        throw fields.failure(key, "expected three numbers of \(range.lowerBound) to \(range.upperBound)")
      }
      return numbers
    }
    imageMean = try perChannel("image_mean", in: -10...10, default: [0.48145466, 0.4578275, 0.40821073])
    imageStd = try perChannel("image_std", in: 1e-6...100, default: [0.26862954, 0.26130258, 0.27577711])
  }
}
