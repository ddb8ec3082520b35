// Boxes follow the image: from the original's pixels to what a model writes and back.
import Datasets

/// What a model's coordinates count.
package enum Coordinates: String, Sendable, Codable, CaseIterable {
  /// Pixels of the resized image: Qwen2.5-VL.
  case pixels
  /// Thousandths of the image's width and height: Qwen3-VL.
  case relative1000 = "relative_1000"
}

/// An image's size before and after resizing.
package struct ImageFrame: Sendable, Hashable {
  package var original: ImageSize
  package var resized: ImageSize
  /// The size that the row asks for, to which the image is resized before it gets its last one; nil where it asks for
  /// none.
  package var requested: ImageSize?
  package var coordinates: Coordinates
  /// Both sizes in pixels.
  package init(
    original: ImageSize, resized: ImageSize, requested: ImageSize? = nil, coordinates: Coordinates = .pixels
  ) {
    (self.original, self.resized, self.requested, self.coordinates) = (original, resized, requested, coordinates)
  }

  /// The image's size in the coordinates that the model writes.
  package var written: ImageSize { coordinates == .pixels ? resized : ImageSize(width: 1000, height: 1000) }

  /// A box in pixels of the original as the model writes it, clamped to the image.
  package func toWritten(_ box: Objects.Box) -> Objects.Box { box.scaled(from: original.ofBoxes, to: written) }

  /// A box as the model writes it, in pixels of the original, clamped to it.
  package func toOriginal(_ box: Objects.Box) -> Objects.Box { box.scaled(from: written.ofBoxes, to: original) }
}

extension ImageSize {
  /// The size as boxes count in it.
  var ofBoxes: Objects.Size { Objects.Size(width: Double(width), height: Double(height)) }
}

extension Objects.Box {
  /// The box in an image of another size, cut at its edges. Divided first, as ms-swift's `normalize_bbox` computes it.
  func scaled(from source: Objects.Size, to target: ImageSize) -> Objects.Box {
    func scale(_ value: Double, _ from: Double, _ to: Int) -> Double {
      min(max(value / from * Double(to), 0), Double(to))
    }
    return Objects.Box(
      x1: scale(x1, source.width, target.width), y1: scale(y1, source.height, target.height),
      x2: scale(x2, source.width, target.width), y2: scale(y2, source.height, target.height), image: image)
  }
}
