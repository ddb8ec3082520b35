// Files of each image format: headers, pixels, orientation, with all settings of the decoder.
import Datasets
import Files
import Preprocessing

extension FuzzTarget {
  static let images: [FuzzTarget] = [
    FuzzTarget(name: "png", dictionary: "png", format: .png, seeds: { try files(["iVBOR"]) }, read: decode),
    FuzzTarget(name: "jpeg", dictionary: "jpeg", format: .bytes, seeds: { try files(["/9j/"]) }, read: decode),
    FuzzTarget(name: "webp", dictionary: "webp", format: .bytes, seeds: { try files(["UklGR"]) }, read: decode),
    FuzzTarget(name: "gif", dictionary: "gif", format: .bytes, seeds: { try files(["R0lGO"]) }, read: decode),
    FuzzTarget(name: "bmp", dictionary: "bmp", format: .bytes, seeds: { try files(["Qk"]) }, read: decode),
    FuzzTarget(name: "tiff", dictionary: "tiff", format: .bytes, seeds: { try files(["SUkq", "TU0A"]) }, read: decode),
  ]

  /// The images of the fixtures whose base64 begins in one of these ways.
  private static func files(_ starts: [String]) throws -> [[UInt8]] {
    let texts = try ["decode", "damaged", "readings"].flatMap { name in
      try Fixture.json("PreprocessingTests/Resources/\(name).json").elements.compactMap { $0["base64"]?.text }
    }
    return texts.filter { text in starts.contains { text.utf8.starts(with: $0.utf8) } }.map(bytes(ofBase64:))
  }

  private static func bytes(ofBase64 text: String) -> [UInt8] {
    let digits = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".utf8)
    var (bytes, bits, count): ([UInt8], UInt32, Int) = ([], 0, 0)
    for digit in text.utf8 {
      guard let value = digits.firstIndex(of: digit) else { continue }
      (bits, count) = (bits << 6 | UInt32(value), count + 6)
      if count >= 8 {
        count -= 8
        bytes.append(UInt8(truncatingIfNeeded: bits >> UInt32(count)))
      }
    }
    return bytes
  }

  /// The program's own limit is 20 times as high; instrumented code is slower by more than that.
  private static let maximumPixels = 1 << 22

  @Sendable private static func decode(_ bytes: [UInt8]) throws {
    let source = ImageSource.inline(bytes)
    for reading in [
      ImageReading(), ImageReading(transparency: .drop, exifOrientation: .apply, damaged: .refuse),
    ] {
      let size = Refusal.allowing { try ImageDecoder.size(of: source, reading: reading, maximumPixels: maximumPixels) }
      guard
        let image = Refusal.allowing({ try ImageDecoder.load(source, reading: reading, maximumPixels: maximumPixels) })
      else { continue }
      require(image.size == size, "the header has another size than the image")
      require(image.pixels.count == 3 * image.width * image.height, "pixels are missing")
    }
  }
}
