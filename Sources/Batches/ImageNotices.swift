// What a user should know about images that are used although something is odd about them.
import Datasets
import Preprocessing

/// Lines about images that are used although something is odd about them, the first of each kind named.
package func imageNotices(
  damaged: [(image: ImageSource, damage: String)], turned: [ImageSource], reading: ImageReading
) -> [String] {
  let damaged = damaged.map { "\($0.image.name) (\($0.damage))" }
  let turned = turned.map(\.name)

  func counted(_ names: [String]) -> String { names.count == 1 ? names[0] : "\(names[0]) and \(names.count - 1) more" }
  var notices: [String] = []
  if !damaged.isEmpty {
    notices.append(
      "damaged images, read since their pixels are whole: \(counted(damaged)); data.damaged_images: refuse refuses them"
    )
  }
  if !turned.isEmpty {
    notices.append(
      reading.exifOrientation == .apply
        ? "boxes must count in the upright image, by EXIF orientation: \(counted(turned))"
        : "boxes must count in the image as it is stored, its EXIF orientation is not applied: \(counted(turned)); "
          + "data.exif_orientation: apply turns it upright")
  }
  return notices
}

extension BaseModel {
  /// Lines about an example's images, which are decoded for them where their features are not cached.
  /// - Parameter sample: the example's.
  /// - Throws: `PreprocessingError` for an image that cannot be used.
  package func imageNotices(of example: Example, _ sample: Sample) throws -> [String] {
    let damaged = try example.images.compactMap { image in
      try featureStore.check(image).damage.map { (image: image, damage: $0) }
    }
    return Batches.imageNotices(damaged: damaged, turned: sample.turned.map { example.images[$0] }, reading: reading)
  }
}
