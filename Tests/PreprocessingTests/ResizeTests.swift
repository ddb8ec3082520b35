import Digests
import Testing

@testable import Preprocessing

@Suite("Resizing equals Pillow's bicubic")
struct ResizeTests {
  private struct Case: Decodable {
    var width, height, toWidth, toHeight, seed: Int
    var sha256: String
  }

  @Test("bytes are equal for 114 pairs of sizes: up, down, one axis, none, single pixels, extreme ratios")
  func equalsPillow() throws {
    let cases: [Case] = try Fixtures.load("resize.json")
    #expect(cases.count == 114)
    for item in cases {
      let image = Fixtures.image(seed: item.seed, width: item.width, height: item.height)
      let resized = image.resized(to: ImageSize(width: item.toWidth, height: item.toHeight))
      #expect(resized.size == ImageSize(width: item.toWidth, height: item.toHeight))
      #expect(SHA256.hex(resized.pixels) == item.sha256, "\(image.size) to \(resized.size)")
    }
  }
}
