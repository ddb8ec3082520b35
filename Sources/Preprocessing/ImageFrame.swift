// Boxes follow the picture: from the original's pixels to the resized picture's and back.
import Datasets

/// A picture's size before and after resizing.
public struct ImageFrame: Sendable, Hashable {
  public var original: ImageSize
  public var resized: ImageSize
  /// Both sizes in pixels.
  public init(original: ImageSize, resized: ImageSize) { (self.original, self.resized) = (original, resized) }

  /// A box of the original, in pixels of the resized picture, clamped to it.
  public func toResized(_ box: Objects.Box) -> Objects.Box { scaled(box, from: original, to: resized) }

  /// A box of the resized picture, in pixels of the original, clamped to it.
  public func toOriginal(_ box: Objects.Box) -> Objects.Box { scaled(box, from: resized, to: original) }

  private func scaled(_ box: Objects.Box, from source: ImageSize, to target: ImageSize) -> Objects.Box {
    func scale(_ value: Double, _ from: Int, _ to: Int) -> Double {
      min(max(value * Double(to) / Double(from), 0), Double(to))
    }
    return Objects.Box(
      x1: scale(box.x1, source.width, target.width), y1: scale(box.y1, source.height, target.height),
      x2: scale(box.x2, source.width, target.width), y2: scale(box.y2, source.height, target.height),
      image: box.image)
  }
}
