// How image files become pixels where programs differ: transparency, EXIF orientation, damaged files.

/// Settings of the decoder. All but `damaged` decide pixels.
package struct ImageReading: Sendable, Hashable {
  /// What becomes of transparent pixels.
  package enum Transparency: String, Sendable, Codable, CaseIterable {
    /// Laid on white: transformers 5's `convert_to_rgb` and Qwen's qwen_vl_utils.
    case white
    /// The alpha is dropped and the colour stored below it is seen: Pillow's `convert("RGB")`.
    case drop
  }

  /// What becomes of an EXIF orientation other than 1.
  package enum ExifOrientation: String, Sendable, Codable, CaseIterable {
    /// Pixels as they are stored: Pillow's `Image.open` and qwen_vl_utils.
    case ignore
    /// The image upright: Pillow's `ImageOps.exif_transpose` and transformers' `load_image`.
    case apply
  }

  /// What happens at a file that is damaged but has all its pixels, as Pillow reads them.
  package enum Damaged: String, Sendable, CaseIterable {
    /// It is read, and reported once.
    case warn
    case refuse
  }

  package var transparency: Transparency
  package var exifOrientation: ExifOrientation
  package var damaged: Damaged

  package init(
    transparency: Transparency = .white, exifOrientation: ExifOrientation = .ignore, damaged: Damaged = .warn
  ) {
    (self.transparency, self.exifOrientation, self.damaged) = (transparency, exifOrientation, damaged)
  }
}
