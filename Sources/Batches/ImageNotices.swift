// What a user should know about images that are used although something is odd about them.
import Preprocessing

/// Lines about images that are used although something is odd about them, the first of each kind named.
package func imageNotices(damaged: [String], turned: [String], reading: ImageReading) -> [String] {
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
