// A decoded picture and the size of one.

/// Width and height in pixels.
public struct ImageSize: Sendable, Hashable, CustomStringConvertible {
  public var width: Int
  public var height: Int
  public init(width: Int, height: Int) { (self.width, self.height) = (width, height) }
  public var description: String { "\(width) x \(height)" }
}

/// Eight-bit RGB, `[height, width, 3]`, rows from the top.
public struct RGBImage: Sendable, Equatable {
  public let width: Int
  public let height: Int
  /// `3 * width * height` bytes, red first.
  public let pixels: [UInt8]

  /// Wraps `3 * width * height` bytes.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == 3 * width * height, "pixels do not fill the picture")
    (self.width, self.height, self.pixels) = (width, height, pixels)
  }

  /// Width and height together.
  public var size: ImageSize { ImageSize(width: width, height: height) }
}
