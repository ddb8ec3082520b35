// A decoded image and the size of one.

/// Width and height in pixels.
package struct ImageSize: Sendable, Hashable, CustomStringConvertible {
  package var width: Int
  package var height: Int
  package init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
  package var description: String { "\(width) x \(height)" }
}

/// Eight-bit RGB, `[height, width, 3]`, rows from the top.
package struct RGBImage: Sendable, Equatable {
  package let width: Int
  package let height: Int
  /// `3 * width * height` bytes, red first.
  package let pixels: [UInt8]
  /// What is wrong with the file that it was read from whole; nil for a sound one.
  package let damage: String?

  /// Wraps `3 * width * height` bytes.
  package init(width: Int, height: Int, pixels: [UInt8], damage: String? = nil) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height, "pixels do not fill the image")
    (self.width, self.height, self.pixels, self.damage) = (width, height, pixels, damage)
  }

  /// Width and height together.
  package var size: ImageSize { ImageSize(width: width, height: height) }
}
