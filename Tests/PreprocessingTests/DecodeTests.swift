import Datasets
import Digests
import Foundation
import Testing

@testable import Preprocessing

@Suite("Decoded pixels equal Pillow's, and nothing else is accepted")
struct DecodeTests {
  @Test("every colour type, depth, interlacing, subsampling and colour space gives Pillow's bytes")
  func equalsPillow() throws {
    for file in try DecodeCase.all() {
      let image = try ImageDecoder.decode(file.bytes(), name: file.name, reading: ImageReading(transparency: .drop))
      #expect(image.size == ImageSize(width: file.width, height: file.height), "\(file.name)")
      #expect(SHA256.hex(image.pixels) == file.sha256, "\(file.name)")
      #expect(try ImageDecoder.size(of: .inline(file.bytes())) == image.size, "\(file.name)")
    }
  }

  @Test("every cut of a file is an error, never an image or a crash")
  func cutFiles() throws {
    for name in [
      "png with filters", "png palette depth 4 interlaced True", "jpeg 4:2:0 progressive True", "jpeg CMYK",
      "gif interlaced", "gif with two frames", "webp lossy 80", "webp lossless", "bmp 4 bits", "bmp 24 bits",
      "tiff tiff_lzw", "tiff RGB 8 bits False", "tiff in tiles, deflate", "tiff jpeg, YCbCr",
    ] {
      let bytes = try DecodeCase.named(name)
      for count in 0..<bytes.count {
        #expect(throws: PreprocessingError.self, "\(name) cut to \(count)") {
          try ImageDecoder.decode(Array(bytes[..<count]), name: name, reading: ImageReading(damaged: .refuse))
        }
      }
    }
  }

  @Test("damaged bytes never crash, and damaged PNG data is always found")
  func damagedFiles() throws {
    for name in [
      "png with filters", "jpeg 4:2:0 progressive False", "jpeg restart markers", "jpeg YCCK", "gif 8 bits",
      "gif smaller than its screen", "webp lossy 80", "webp lossless", "bmp 8 bits", "bmp 16 bits",
      "bmp bit fields (255, 65280, 16711680, 4278190080)", "tiff tiff_lzw", "tiff palette 4 bits True",
      "tiff in tiles, deflate", "tiff group4", "tiff jpeg, YCbCr", "tiff in planes, deflate",
    ] {
      let bytes = try DecodeCase.named(name)
      for index in bytes.indices {
        var damaged = bytes
        damaged[index] ^= 0x55
        _ = try? ImageDecoder.decode(damaged, name: name, maximumPixels: 1 << 16)
      }
    }
    var damaged = try DecodeCase.named("png with filters")
    damaged[damaged.count / 2] ^= 1
    #expect(throws: PreprocessingError.self) {
      try ImageDecoder.decode(damaged, name: "x", reading: ImageReading(damaged: .refuse))
    }
  }

  @Test("the error carries the library's own words, the name and the format")
  func libraryWords() throws {
    let png = Array(try DecodeCase.named("png with filters").dropLast(30))
    #expect(
      throws: PreprocessingError.undecodable(
        image: "a.png", format: "PNG", reason: "Read Error: the file ends early")
    ) { try ImageDecoder.decode(png, name: "a.png") }
    let jpeg = Array(try DecodeCase.named("jpeg grey").dropLast(2))
    #expect(
      throws: PreprocessingError.undecodable(image: "b.jpg", format: "JPEG", reason: "Premature end of JPEG file")
    ) { try ImageDecoder.decode(jpeg, name: "b.jpg") }
  }

  @Test("a header of four billion pixels is refused before memory is taken")
  func pixelLimit() throws {
    var png = try DecodeCase.named("png one pixel")
    png.replaceSubrange(16..<24, with: [0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff])
    // Without its new checksum libpng would stop first.
    let checksum = crc32(png[12..<29])
    png.replaceSubrange(29..<33, with: (0..<4).map { UInt8(truncatingIfNeeded: checksum >> (24 - 8 * $0)) })
    #expect(
      throws: PreprocessingError.tooManyPixels(
        image: "bomb", width: 65535, height: 65535, limit: ImageDecoder.maximumPixels)
    ) { try ImageDecoder.decode(png, name: "bomb") }
    let small = try DecodeCase.named("jpeg grey")
    #expect(throws: PreprocessingError.tooManyPixels(image: "b", width: 37, height: 29, limit: 1072)) {
      try ImageDecoder.decode(small, name: "b", maximumPixels: 1072)
    }
  }

  @Test("a progressive file with thousands of scans is refused")
  func scanBomb() throws {
    let bytes = try DecodeCase.named("jpeg 4:2:0 progressive True")
    // The first scan again and again: from its SOS to the marker after its data.
    let scan = try #require(bytes.indices.first { bytes[$0...].starts(with: [0xff, 0xda]) })
    let end = try #require((scan + 2..<bytes.count).first { bytes[$0] == 0xff && bytes[$0 + 1] != 0 })
    let bomb = bytes[..<end] + repeatElement(bytes[scan..<end], count: 1000).joined() + bytes[end...]
    #expect(throws: PreprocessingError.undecodable(image: "x", format: "JPEG", reason: "more than 256 scans")) {
      try ImageDecoder.decode(Array(bomb), name: "x")
    }
  }

  @Test("a damaged file is not unpacked a second time where its pixels take more than 256 MiB")
  func repairLimit() throws {
    // 8193 x 8192 transparent black pixels in 1.7 MB, whose checksum is wrong: a smaller file would be repaired.
    let (width, height) = (8193, 8192)
    #expect(
      throws: PreprocessingError.undecodable(image: "bomb", format: "PNG", reason: "IDAT: CRC error")
    ) { try ImageDecoder.decode(png(width: width, height: height), name: "bomb") }
    let small = try ImageDecoder.decode(png(width: 3, height: 2), name: "small")
    #expect(small.damage == "PNG: IDAT: CRC error" && small.pixels == Array(repeating: 255, count: 18))
  }

  /// A PNG of RGBA pixels that are all zero, without the checksum of its pixels.
  private func png(width: Int, height: Int) -> [UInt8] {
    func big(_ value: Int) -> [UInt8] { [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) } }
    func chunk(_ type: String, _ data: [UInt8], checksum: UInt32? = nil) -> [UInt8] {
      let body = Array(type.utf8) + data
      return big(data.count) + body + big(Int(checksum ?? crc32(body[...])))
    }
    let count = height * (4 * width + 1)
    // One block of fixed codes: a zero, 258 zeros more again and again, single ones; bits from the lowest.
    var (data, bits, filled): ([UInt8], UInt64, UInt64) = ([0x78, 0x9c], 0, 0)
    func append(_ code: UInt64, _ length: UInt64) {
      (bits, filled) = (bits | code << filled, filled + length)
      while filled >= 8 {
        data.append(UInt8(truncatingIfNeeded: bits))
        (bits, filled) = (bits >> 8, filled - 8)
      }
    }
    append(0b011, 3)
    append(0b0000_1100, 8)
    for _ in 0..<(count - 1) / 258 { append(0b00000_1010_0011, 13) }
    for _ in 0..<(count - 1) % 258 { append(0b0000_1100, 8) }
    append(0, 7 + 7)
    data += big((count % 65521) << 16 | 1)
    let header = big(width) + big(height) + [8, 6, 0, 0, 0]
    return [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a] + chunk("IHDR", header)
      + chunk("IDAT", data, checksum: 0) + chunk("IEND", [])
  }

  @Test(
    "other formats are named",
    arguments: [
      ("II+\0", "BigTIFF"), ("MM\0+", "BigTIFF"), ("\0\0\0\u{18}ftypheic", "HEIC"),
      ("\0\0\0\u{18}ftypavif", "AVIF"), ("\0\0\0\u{18}ftypmif1", "HEIF"), ("\0\0\0\u{0C}JXL ", "JPEG XL"),
      ("\0\0\0\u{0C}jP  ", "JPEG 2000"), ("", "an empty file"),
      ("hello", "of an unknown format"),
    ])
  func otherFormats(_ text: String, _ format: String) {
    #expect(throws: PreprocessingError.unsupportedFormat(image: "x", format: format)) {
      try ImageDecoder.decode(Array(text.utf8), name: "x")
    }
  }

  @Test("a format that is not read ends in a line that says what to do")
  func remedy() {
    let error = #expect(throws: PreprocessingError.self) {
      try ImageDecoder.decode(Array("\0\0\0\u{18}ftypheic".utf8), name: "a.heic")
    }
    #expect(error?.description == "image a.heic: is HEIC, which is not read; convert it to PNG or JPEG")
  }

  @Test("kinds of the known formats that are not read are named")
  func unreadKinds() throws {
    func expect(_ kind: String, _ bytes: [UInt8]) {
      #expect(throws: PreprocessingError.unsupportedFormat(image: "x", format: kind)) {
        try ImageDecoder.decode(bytes, name: "x")
      }
    }
    func changed(_ name: String, _ places: [Int: UInt8]) throws -> [UInt8] {
      var bytes = try DecodeCase.named(name)
      for (place, byte) in places { bytes[place] = byte }
      return bytes
    }
    expect("a BMP with run-length compression", try changed("bmp 8 bits", [30: 1]))
    expect("a BMP of compression 4", try changed("bmp 24 bits", [30: 4]))
    expect("a BMP of 2 bits a pixel", try changed("bmp 8 bits", [28: 2]))
    expect("a BMP with a header of 41 bytes", try changed("bmp 8 bits", [14: 41]))
    expect("a BMP of unusual bit fields", try changed("bmp bit fields (31744, 992, 31)", [54: 1]))
    // An extended file whose flag says that frames follow.
    let header: [UInt8] = Array("RIFF".utf8) + [22, 0, 0, 0] + Array("WEBPVP8X".utf8) + [10, 0, 0, 0, 2, 0, 0, 0]
    expect("an animated WebP", header + [12, 0, 0, 6, 0, 0])
    // Of a TIFF by its tags: the place of a tag's value follows its number, type and count.
    func tiff(_ name: String, _ tag: UInt8, _ value: UInt8) throws -> [UInt8] {
      let bytes = try DecodeCase.named(name)
      let place = try #require(bytes.indices.first { bytes[$0...].starts(with: [tag, 1, 3, 0, 1, 0, 0, 0]) })
      return try changed(name, [place + 8: value])
    }
    expect("a TIFF of compression 6", try tiff("tiff grey 1 8 bits True", 3, 6))
    expect("a TIFF of photometric interpretation 8", try tiff("tiff RGB 8 bits True", 6, 8))
    expect("a TIFF in YCbCr without JPEG", try tiff("tiff RGB 8 bits True", 6, 6))
    expect("a TIFF of 1 samples a pixel", try tiff("tiff grey 1 8 bits True", 6, 2))
  }

  @Test("sizes beyond the limit are refused from the header in every format")
  func pixelLimitOfEachFormat() throws {
    for name in ["gif 8 bits", "webp lossless", "bmp 24 bits", "tiff RGB 8 bits True", "webp lossy 80"] {
      let bytes = try DecodeCase.named(name)
      let size = try ImageDecoder.size(of: .inline(bytes))
      let limit = size.width * size.height - 1
      let error = PreprocessingError.tooManyPixels(image: "x", width: size.width, height: size.height, limit: limit)
      #expect(throws: error) { try ImageDecoder.decode(bytes, name: "x", maximumPixels: limit) }
    }
    // Both sides of 32 bits: their product is beyond what an integer holds.
    var bmp = try DecodeCase.named("bmp 24 bits")
    bmp.replaceSubrange(18..<26, with: [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE])
    #expect(throws: PreprocessingError.self) { try ImageDecoder.decode(bmp, name: "x") }
    #expect(throws: PreprocessingError.self) { try ImageDecoder.size(of: .inline(bmp)) }
  }

  @Test("a TIFF whose directory lies after 64 KiB is read from its file as from memory")
  func lateDirectory() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("tiff-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let small = try DecodeCase.named("tiff RGB 8 bits True")
    let start = Int(small[4]) | Int(small[5]) << 8
    // The directory again, at the end; its values' places stay.
    var large = small + [UInt8](repeating: 0, count: 100_000 + small.count % 2)
    for index in 0..<4 { large[4 + index] = UInt8(truncatingIfNeeded: large.count >> (8 * index)) }
    large += small[start...]
    let path = folder.appendingPathComponent("a.tiff").path
    try Data(large).write(to: URL(fileURLWithPath: path))
    #expect(try ImageDecoder.size(of: .file(path)) == ImageSize(width: 11, height: 9))
    #expect(try ImageDecoder.load(.file(path)).pixels == ImageDecoder.decode(small, name: "a").pixels)
  }

  @Test("files: found, missing, a folder; a header after 100 KB of profile is found")
  func files() throws {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("images-\(UUID())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    var bytes = try DecodeCase.named("jpeg grey")
    let profile: [UInt8] = [0xff, 0xe2, 0xff, 0xff] + [UInt8](repeating: 7, count: 65533)
    bytes.insert(contentsOf: profile + profile, at: 2)
    let path = folder.appendingPathComponent("a.jpg").path
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    #expect(try ImageDecoder.size(of: .file(path)) == ImageSize(width: 37, height: 29))
    #expect(try ImageDecoder.load(.file(path)) == ImageDecoder.decode(bytes, name: "a"))
    let missing = folder.appendingPathComponent("b.jpg").path
    #expect(throws: PreprocessingError.unreadable(image: missing, reason: "No such file or directory")) {
      try ImageDecoder.size(of: .file(missing))
    }
    #expect(throws: PreprocessingError.unreadable(image: folder.path, reason: "not a regular file")) {
      try ImageDecoder.load(.file(folder.path))
    }
  }

  /// PNG's checksum, bit by bit.
  private func crc32(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    ~bytes.reduce(0xffff_ffff) { crc, byte in
      (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in value & 1 == 1 ? value >> 1 ^ 0xedb8_8320 : value >> 1 }
    }
  }
}
