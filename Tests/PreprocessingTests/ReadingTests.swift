// Transparency, EXIF orientation and damaged files against Pillow and transformers.
import Datasets
import Digests
import Foundation
import HuggingFace
import Testing

@testable import Preprocessing

/// A record of readings.json.
private struct ReadingCase: Decodable {
  var name, base64: String
  var width, height: Int
  var drop, white, upright: String
}

/// A record of damaged.json; without digest where Pillow refuses the file.
private struct DamagedCase: Decodable {
  var name, base64: String
  var width, height: Int
  var sha256: String
}

@Suite("Files that programs read in different ways")
struct ReadingTests {
  @Test("transparency is dropped or laid on white, and orientation applied, byte for byte")
  func readings() throws {
    let cases: [ReadingCase] = try Fixtures.load("readings.json")
    #expect(cases.count > 30)
    for file in cases {
      let bytes = [UInt8](try #require(Data(base64Encoded: file.base64)))
      func digest(_ reading: ImageReading) throws -> String {
        let image = try ImageDecoder.decode(bytes, name: file.name, reading: reading)
        #expect(try ImageDecoder.size(of: .inline(bytes), reading: reading) == image.size, "\(file.name)")
        return SHA256.hex(image.pixels)
      }
      #expect(try digest(ImageReading(transparency: .drop)) == file.drop, "\(file.name), drop")
      #expect(try digest(ImageReading()) == file.white, "\(file.name), white")
      #expect(try digest(ImageReading(exifOrientation: .apply)) == file.upright, "\(file.name), upright")
    }
  }

  @Test("what Pillow reads whole is read and reported, or refused; what lacks pixels is refused always")
  func damaged() throws {
    for file in try Fixtures.load("damaged.json") as [DamagedCase] {
      let bytes = [UInt8](try #require(Data(base64Encoded: file.base64)))
      // A changed code of a JPEG may be another code. Where one is none Pillow fills the pixels without a word.
      if file.name.hasPrefix("jpeg with a changed pixel") { continue }
      #expect(throws: PreprocessingError.self, "\(file.name)") {
        try ImageDecoder.decode(bytes, name: file.name, reading: ImageReading(damaged: .refuse))
      }
      if file.sha256.isEmpty || file.name.hasPrefix("jpeg with a marker in its pixels") {
        #expect(throws: PreprocessingError.self, "\(file.name)") { try ImageDecoder.decode(bytes, name: file.name) }
      } else {
        let image = try ImageDecoder.decode(bytes, name: file.name)
        #expect(SHA256.hex(image.pixels) == file.sha256, "\(file.name)")
        #expect(image.damage?.isEmpty == false, "\(file.name)")
      }
    }
    let sound = try ImageDecoder.decode(DecodeCase.named("png with filters"), name: "sound")
    #expect(sound.damage == nil)
  }

  @Test("the error of a damaged file names the key that allows it")
  func remedy() throws {
    let cut = Array(try DecodeCase.named("png with filters").dropLast(12))
    let error = #expect(throws: PreprocessingError.self) {
      try ImageDecoder.decode(cut, name: "a.png", reading: ImageReading(damaged: .refuse))
    }
    #expect(
      error?.description
        == "image a.png: damaged PNG: Read Error: the file ends early; replace the file, or set data.damaged_images: warn, "
        + "since its pixels are whole")
  }

  @Test("an orientation of every cut and every changed byte of its block is read or ignored, never a crash")
  func hostileOrientation() throws {
    let cases: [ReadingCase] = try Fixtures.load("readings.json")
    for name in [
      "jpeg, orientation 6", "RGB with sound eXIf", "jpeg, orientation 3 in XMP", "webp, orientation 6 in EXIF",
      "webp, orientation 3 in XMP", "tiff, orientation 6",
    ] {
      let file = try #require(cases.first { $0.name == name })
      let bytes = [UInt8](try #require(Data(base64Encoded: file.base64)))
      // The block is at the beginning of a JPEG or PNG and at the end of the others.
      for index in Array(bytes.indices.prefix(200)) + bytes.indices.suffix(200) {
        _ = try? ImageDecoder.size(of: .inline(Array(bytes[..<index])), reading: ImageReading(exifOrientation: .apply))
        for value: UInt8 in [0, 0xFF, bytes[index] ^ 1] {
          var changed = bytes
          changed[index] = value
          _ = try? ImageDecoder.decode(
            changed, name: name, reading: ImageReading(exifOrientation: .apply), maximumPixels: 1 << 16)
        }
      }
    }
  }
}

@Suite("Sizes that rows ask for")
struct RequestedSizeTests {
  private struct Case: Decodable {
    var height, width, factor: Int
    var minPixels, maxPixels, resizedHeight, resizedWidth: Int?
    var toHeight, toWidth: Int
  }

  @Test("limits and sides of one image give the sizes of qwen_vl_utils")
  func sizes() throws {
    for size in try Fixtures.load("requested-sizes.json") as [Case] {
      let request =
        if let height = size.resizedHeight, let width = size.resizedWidth {
          RequestedSize.sides(height: height, width: width)
        } else {
          RequestedSize.limits(minPixels: size.minPixels, maxPixels: size.maxPixels)
        }
      let found = request.size(of: ImageSize(width: size.width, height: size.height), factor: size.factor)
      #expect(found == (size.toWidth == 0 ? nil : ImageSize(width: size.toWidth, height: size.toHeight)), "\(size)")
    }
  }

  @Test("the run's limits hold after the row's; the image is resized twice then")
  func twice() throws {
    let processor = try ImageProcessor(PreprocessorConfiguration(minPixels: 3136, maxPixels: 28 * 28 * 16))
    let original = ImageSize(width: 100, height: 80)
    let frame = try processor.frame(of: original, request: .sides(height: 280, width: 420), name: "x")
    #expect(frame.requested == ImageSize(width: 420, height: 280))
    #expect(frame.resized == ImageSize(width: 112, height: 84))
    let image = Fixtures.image(seed: 3, width: 100, height: 80)
    let twice = image.resized(to: ImageSize(width: 420, height: 280)).resized(to: frame.resized)
    let source = ImageSource(.inline(Array(try image.png())), requestedSize: .sides(height: 280, width: 420))
    let bytes = try ImageDecoder.bytes(of: source)
    let patches = try processor.process(bytes, expecting: frame, name: "x").patches
    let plain = try ImageProcessor(PreprocessorConfiguration(minPixels: 3136, maxPixels: 28 * 28 * 16))
    #expect(patches == (try plain.process(twice, name: "x").patches))
    #expect(throws: PreprocessingError.self) {
      try processor.frame(of: original, request: .sides(height: 1, width: 201), name: "x")
    }
  }
}
