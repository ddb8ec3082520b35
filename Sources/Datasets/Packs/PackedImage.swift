// Images inside of the file that their rows come from: a pack, or a tar archive.
import Digests
import Files

/// A file of rows and the images that they name.
protocol ImageContainer: AnyObject, Sendable {
  var path: String { get }
  /// A digest of its rows and of the digests of all images; nil where it states none.
  var contentDigest: String? { get }
  /// Why an image may not be there, and what to do: the end of a message.
  static var absence: String { get }
  /// An image as rows write it.
  func name(_ number: Int) -> String
  /// Where its bytes are.
  func place(_ number: Int) -> Range<Int>
  /// SHA-256 of its bytes as the file states it; nil where it states none.
  func statedDigest(_ number: Int) -> String?
  func read(_ place: Range<Int>) throws(FileError) -> [UInt8]
  /// The image that rows write so; nil where there is none.
  func image(named name: String) -> PackedImage?
}

/// An image in such a file. Two are equal if their bytes are the same ones in the same file.
package struct PackedImage: Sendable, Hashable {
  private let container: any ImageContainer
  private let number: Int

  init(container: any ImageContainer, number: Int) { (self.container, self.number) = (container, number) }

  private var place: Range<Int> { container.place(number) }

  /// The path of the file that it is in.
  package var file: String { container.path }
  /// As rows write it.
  package var name: String { container.name(number) }
  /// Bytes of the image.
  package var count: Int { place.count }
  /// SHA-256 of its bytes as the file states it; nil where it states none.
  package var digest: String? { container.statedDigest(number) }

  /// All of its bytes; those that were packed, where the file says which they are.
  /// - Throws: `FileError` where they are others, or cannot be read.
  package func bytes() throws(FileError) -> [UInt8] {
    let bytes = try container.read(place)
    guard digest.map({ $0 == SHA256.hex(bytes) }) ?? true else {
      throw FileError(
        container.path, "the bytes of image \(quoted(name)) are not those that were packed",
        remedy: "pack the rows again")
    }
    return bytes
  }

  /// Its first bytes, `limit` at most, unchecked: for its header.
  package func bytes(first limit: Int) throws(FileError) -> [UInt8] { try container.read(place.prefix(limit)) }

  package static func == (a: PackedImage, b: PackedImage) -> Bool {
    a.place == b.place && a.container.path.hasSameBytes(as: b.container.path)
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(ExactString(container.path))
    hasher.combine(place)
  }
}
