// Reference values of scripts/make-image-fixtures.py and the images that they were made of.
import Digests
import Foundation
import Testing

@testable import Preprocessing

enum Fixtures {
  /// A file of Resources.
  static func load<T: Decodable>(_ name: String) throws -> [T] {
    let folder = Bundle.module.bundleURL.appendingPathComponent("Resources")
    return try JSONDecoder().decode([T].self, from: Data(contentsOf: folder.appendingPathComponent(name)))
  }

  /// An image of the generator that the script states.
  static func image(seed: Int, width: Int, height: Int) -> RGBImage {
    var state = UInt32(seed)
    let pixels = (0..<3 * width * height).map { _ in
      state = state &* 1_664_525 &+ 1_013_904_223
      return UInt8(state >> 24)
    }
    return RGBImage(width: width, height: height, pixels: pixels)
  }
}

/// A file or expectation of decode.json.
struct DecodeCase: Decodable, CustomTestStringConvertible {
  var name: String
  var base64: String
  var width: Int
  var height: Int
  var sha256: String

  var testDescription: String { name }
  func bytes() throws -> [UInt8] { [UInt8](try #require(Data(base64Encoded: base64))) }

  static func all() throws -> [DecodeCase] { try Fixtures.load("decode.json") }
  static func named(_ name: String) throws -> [UInt8] {
    try #require(try all().first { $0.name == name }).bytes()
  }
}
