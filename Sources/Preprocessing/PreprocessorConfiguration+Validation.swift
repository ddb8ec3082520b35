// Which settings of preprocessor_config.json, with a run's own limits, can process images at all.
import HuggingFace

extension PreprocessorConfiguration {
  /// Throws `PreprocessingError.setting` for the first value with which no image can be processed.
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
