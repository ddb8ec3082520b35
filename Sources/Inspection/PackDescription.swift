// What a pack of rows and images holds.
import Datasets
import Files

/// What `imagelora inspect` gives of a pack; `lines` for people, the properties for programs.
package struct PackDescription: Encodable, Sendable {
  package let file: String
  /// Bytes of the rows' text.
  package let rowBytes: Int
  /// Images under their names, and bytes of all of them.
  package let images, imageBytes: Int
  package let indexSha256: String
  /// Whether the bytes of all images were compared with their digests.
  package private(set) var isVerified = false

  private let pack: ImagePack

  private enum CodingKeys: CodingKey { case file, rowBytes, images, imageBytes, indexSha256, isVerified }

  /// Opens a pack; its rows and its list of images are those that were packed.
  /// - Throws: `FileError` or `HDF5Error`.
  package init(_ path: String) throws {
    let (pack, rows) = try ImagePack.open(path)
    (file, self.pack) = (path, pack)
    (rowBytes, images, imageBytes) = (rows.count, pack.imageCount, pack.imageByteCount)
    indexSha256 = pack.indexDigest
  }

  /// Reads all images.
  /// - Parameter report: takes the number of images that were read, and of all.
  /// - Throws: `FileError` with the name of the first image of other bytes than were packed.
  package mutating func verify(_ report: (_ done: Int, _ all: Int) -> Void) throws {
    for (number, image) in pack.images.enumerated() {
      _ = try image.bytes()
      report(number + 1, images)
    }
    isVerified = true
  }

  package var lines: [String] {
    [
      "pack       \(file)", "rows       \(rowBytes) bytes", "images     \(images) of \(imageBytes) bytes",
      "index      SHA-256 \(indexSha256.prefix(12)), valid",
      isVerified
        ? "verified   every image has the bytes that were packed" : "verified   no image; --verify reads them all",
    ]
  }
}
