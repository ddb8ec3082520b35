// The size at which Qwen's models see an image: transformers' `smart_resize`.

/// The size nearest to the aspect ratio whose sides are multiples of `factor` and whose area lies within the limits;
/// nil where one side is more than 200 times the other (`smart_resize` of transformers' Qwen2-VL image processor).
package func smartResize(height: Int, width: Int, factor: Int, minPixels: Int, maxPixels: Int) -> ImageSize? {
  precondition(height > 0 && width > 0 && factor > 0 && minPixels > 0 && maxPixels > 0)
  guard Double(max(height, width)) / Double(min(height, width)) <= 200 else { return nil }
  let (h, w, unit) = (Double(height), Double(width), Double(factor))
  // Python's `round`: halves go to the even neighbour.
  var newHeight = Int((h / unit).rounded(.toNearestOrEven)) * factor
  var newWidth = Int((w / unit).rounded(.toNearestOrEven)) * factor
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
