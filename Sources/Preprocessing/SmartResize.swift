// The size at which Qwen's models see an image: transformers' `smart_resize`.

import Datasets

/// The size nearest to the aspect ratio whose sides are multiples of `factor` and whose area lies within the limits;
/// nil where one side is more than 200 times the other (`smart_resize` of transformers' Qwen2-VL image processor).
/// - Parameter isAtLeastFactor: whether no side is rounded to zero, as in qwen_vl_utils.
package func smartResize(
  height: Int, width: Int, factor: Int, minPixels: Int, maxPixels: Int, isAtLeastFactor: Bool = false
) -> ImageSize? {
  precondition(height > 0 && width > 0 && factor > 0 && minPixels > 0 && maxPixels > 0)
  guard Double(max(height, width)) / Double(min(height, width)) <= 200 else { return nil }
  let (h, w, unit) = (Double(height), Double(width), Double(factor))
  // Python's `round`: halves go to the even neighbour.
  var newHeight = Int((h / unit).rounded(.toNearestOrEven)) * factor
  var newWidth = Int((w / unit).rounded(.toNearestOrEven)) * factor
  if isAtLeastFactor { (newHeight, newWidth) = (max(factor, newHeight), max(factor, newWidth)) }
  if newHeight * newWidth > maxPixels {
    let beta = (Double(height * width) / Double(maxPixels)).squareRoot()
    newHeight = max(factor, Int((h / beta / unit).rounded(.down)) * factor)
    newWidth = max(factor, Int((w / beta / unit).rounded(.down)) * factor)
  } else if newHeight * newWidth < minPixels {
    let beta = (Double(minPixels) / Double(height * width)).squareRoot()
    newHeight = Int((h * beta / unit).rounded(.up)) * factor
    newWidth = Int((w * beta / unit).rounded(.up)) * factor
  }
  return ImageSize(width: newWidth, height: newHeight)
}

extension RequestedSize {
  /// The limits that qwen_vl_utils has for what a row does not state, in visual tokens.
  private static let tokens = 4...16384

  /// What is resized: the image, or the sides that the row states.
  func aspect(of original: ImageSize) -> ImageSize {
    if case .sides(let height, let width) = self { ImageSize(width: width, height: height) } else { original }
  }

  /// The size that `fetch_image` of qwen_vl_utils gives the image; nil where one side is more than 200 times the other.
  func size(of original: ImageSize, factor: Int) -> ImageSize? {
    let pixels = (least: Self.tokens.lowerBound * factor * factor, most: Self.tokens.upperBound * factor * factor)
    switch self {
    case .sides(let height, let width):
      return smartResize(
        height: height, width: width, factor: factor, minPixels: pixels.least, maxPixels: pixels.most,
        isAtLeastFactor: true)
    case .limits(let least, let most):
      return smartResize(
        height: original.height, width: original.width, factor: factor, minPixels: least ?? pixels.least,
        maxPixels: most ?? pixels.most, isAtLeastFactor: true)
    }
  }
}
