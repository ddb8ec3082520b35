// How an image becomes patches, as preprocessor_config.json states it (transformers' `Qwen2VLImageProcessor`).
import Files

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
  /// transformers 5 does; absent keys take transformers' defaults.
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
    let type = try fields.string("image_processor_type", default: Self.types[0])
    guard Self.types.contains(type) else {
      throw fields.unsupported("image_processor_type \(quoted(type))", use: Self.types[0])
    }
    (minPixels, maxPixels) = try Self.pixelLimits(fields)
    patchSize = try fields.integer("patch_size", in: 1...1024, default: 14)
    temporalPatchSize = try fields.integer("temporal_patch_size", in: 1...64, default: 2)
    mergeSize = try fields.integer("merge_size", in: 1...64, default: 2)
    rescaleFactor = try fields.number("rescale_factor", in: 1e-6...1, default: 1.0 / 255)
    func perChannel(_ key: String, in range: ClosedRange<Double>, default fallback: [Double]) throws -> [Double] {
      let given = try fields.array(key, default: fallback.map { .number($0) })
      let numbers = given.compactMap(\.double).filter(range.contains)
      guard given.count == 3, numbers.count == 3 else {
        throw fields.failure(key, "expected three numbers of \(range.lowerBound) to \(range.upperBound)")
      }
      return numbers
    }
    imageMean = try perChannel("image_mean", in: -10...10, default: [0.48145466, 0.4578275, 0.40821073])
    imageStd = try perChannel("image_std", in: 1e-6...100, default: [0.26862954, 0.26130258, 0.27577711])
  }

  /// Names of one and the same processor.
  private static let types = ["Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil"]

  /// `min_pixels` and `max_pixels` win over `size.shortest_edge` and `size.longest_edge`, each alone; without `size`
  /// the defaults stand in for what is absent. A `size` with other keys, or with one of its two where nothing replaces
  /// the other, is refused as in transformers 5. Old versions read no `size`; the `size.min_pixels` and
  /// `size.max_pixels` that they wrote stand beside the same keys at the top.
  private static func pixelLimits(_ fields: Fields) throws -> (Int, Int) {
    if let size = fields["size"] {
      guard case .object = size else {
        throw fields.unsupported("size \(Fields.show(size))", use: "size.shortest_edge and size.longest_edge")
      }
    }
    let size = try fields.object("size")
    let range = 1...(1 << 30)
    func limit(_ key: String, _ edge: String, default fallback: Int) throws -> Int {
      if let top = try fields.wholeNumber(key, in: range) { return top }
      guard let size else { return fallback }
      if let inner = size[key] {
        throw fields.unsupported(
          "size.\(key) \(Fields.show(inner)) without \(key) beside size", use: "size.\(edge), or \(key) beside size")
      }
      guard let stated = try size.wholeNumber(edge, in: range) else {
        throw fields.failure("size.\(edge)", "missing: give it with the other edge, or \(key) beside size")
      }
      return stated
    }
    let known: [ExactString] = ["shortest_edge", "longest_edge", "min_pixels", "max_pixels"]
    if let other = size?.keys.first(where: { !known.contains($0) && size?[$0.text] != nil }) {
      throw fields.unsupported("size.\(other)", use: "size.shortest_edge and size.longest_edge")
    }
    let least = try limit("min_pixels", "shortest_edge", default: 56 * 56)
    let most = try limit("max_pixels", "longest_edge", default: 28 * 28 * 1280)
    guard least <= most else { throw fields.failure("min_pixels", "\(least) is more than max_pixels, \(most)") }
    return (least, most)
  }
}
