// What preprocessor_config.json says about pictures.

/// Settings of Qwen's image processor, checked by `ImageProcessor`.
public struct PreprocessorSettings: Sendable, Equatable {
  /// Least and greatest area of a resized picture in pixels.
  public var minPixels: Int
  public var maxPixels: Int
  /// Side of a patch in pixels.
  public var patchSize: Int
  /// Frames of a patch; a still picture is repeated.
  public var temporalPatchSize: Int
  /// Patches along a side of one visual token.
  public var mergeSize: Int
  /// Of red, green and blue in 0...1.
  public var imageMean: [Double]
  public var imageStd: [Double]
  /// What a byte is multiplied by before normalising.
  public var rescaleFactor: Double

  /// Defaults are those of the released Qwen2.5-VL.
  public init(
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

  /// Throws `PreprocessingError.setting` for the first value with which no picture can be processed.
  func validate() throws(PreprocessingError) {
    func require(_ holds: Bool, _ key: String, _ value: Any, _ expected: String) throws(PreprocessingError) {
      if !holds { throw .setting(key: key, value: "\(value)", expected: expected) }
    }
    let limit = ImageDecoder.maximumPixels
    try require((1...limit).contains(maxPixels), "max_pixels", maxPixels, "1 to \(limit)")
    try require((1...maxPixels).contains(minPixels), "min_pixels", minPixels, "1 to max_pixels (\(maxPixels))")
    try require((1...256).contains(patchSize), "patch_size", patchSize, "1 to 256")
    try require((1...16).contains(temporalPatchSize), "temporal_patch_size", temporalPatchSize, "1 to 16")
    try require((1...16).contains(mergeSize), "merge_size", mergeSize, "1 to 16")
    try require(
      imageMean.count == 3 && imageMean.allSatisfy(\.isFinite), "image_mean", imageMean, "three finite numbers")
    try require(
      imageStd.count == 3 && imageStd.allSatisfy { $0.isFinite && Float($0) > 0 }, "image_std", imageStd,
      "three positive numbers")
    try require(
      rescaleFactor.isFinite && rescaleFactor > 0, "rescale_factor", rescaleFactor, "a positive number")
  }
}
