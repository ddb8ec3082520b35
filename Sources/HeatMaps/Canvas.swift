// A small image in memory: rectangles, a bitmap font, PNG.
import Files
import Foundation
import Preprocessing

/// Pixels of 8-bit RGB, rows from the top.
struct Canvas {
  let width, height: Int
  private(set) var pixels: [UInt8]

  struct Rectangle {
    var x, y, width, height: Int

    /// Grown by some pixels on every side, or shrunk.
    func expanded(by pixels: Int) -> Rectangle {
      Rectangle(x: x - pixels, y: y - pixels, width: width + 2 * pixels, height: height + 2 * pixels)
    }
  }

  init(width: Int, height: Int, background: Colour) {
    precondition(width > 0 && height > 0)
    (self.width, self.height) = (width, height)
    pixels = [UInt8](repeating: 0, count: 3 * width * height)
    fill(Rectangle(x: 0, y: 0, width: width, height: height), background)
  }

  /// Fills the part of the rectangle that is on the canvas.
  mutating func fill(_ area: Rectangle, _ colour: Colour) {
    let (left, right) = (max(area.x, 0), min(area.x + area.width, width))
    let (top, bottom) = (max(area.y, 0), min(area.y + area.height, height))
    guard left < right, top < bottom else { return }
    for y in top..<bottom {
      for x in left..<right {
        let start = 3 * (y * width + x)
        (pixels[start], pixels[start + 1], pixels[start + 2]) = (colour.red, colour.green, colour.blue)
      }
    }
  }

  /// Draws text from its upper left corner; what the font lacks stays blank.
  mutating func text(_ text: String, x: Int, y: Int, scale: Int, _ colour: Colour) {
    for (index, character) in text.enumerated() {
      let left = x + index * (Font.width + 1) * scale
      for (row, bits) in (Font.glyphs[character] ?? []).enumerated() {
        for column in 0..<Font.width where bits >> (Font.width - 1 - column) & 1 == 1 {
          fill(Rectangle(x: left + column * scale, y: y + row * scale, width: scale, height: scale), colour)
        }
      }
    }
  }

  /// Pixels that a text takes across.
  static func width(of text: String, scale: Int) -> Int { (text.count * (Font.width + 1) - 1) * scale }

  /// The image as a PNG file's bytes; `path` is for messages.
  /// - Throws: `FileError` with libpng's message.
  func png(for path: String) throws -> Data {
    do {
      return try RGBImage(width: width, height: height, pixels: pixels).png()
    } catch {
      throw FileError(path, "cannot be made", cause: error)
    }
  }

  /// Five by seven dots: digits and the capitals of the labels.
  enum Font {
    static let width = 5
    static let height = 7
    /// Rows from the top, the left dot in the highest of five bits.
    static let glyphs: [Character: [UInt8]] = [
      "0": [0b01110, 0b10001, 0b10011, 0b10101, 0b11001, 0b10001, 0b01110],
      "1": [0b00100, 0b01100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
      "2": [0b01110, 0b10001, 0b00001, 0b00010, 0b00100, 0b01000, 0b11111],
      "3": [0b11111, 0b00010, 0b00100, 0b00010, 0b00001, 0b10001, 0b01110],
      "4": [0b00010, 0b00110, 0b01010, 0b10010, 0b11111, 0b00010, 0b00010],
      "5": [0b11111, 0b10000, 0b11110, 0b00001, 0b00001, 0b10001, 0b01110],
      "6": [0b00110, 0b01000, 0b10000, 0b11110, 0b10001, 0b10001, 0b01110],
      "7": [0b11111, 0b00001, 0b00010, 0b00100, 0b01000, 0b01000, 0b01000],
      "8": [0b01110, 0b10001, 0b10001, 0b01110, 0b10001, 0b10001, 0b01110],
      "9": [0b01110, 0b10001, 0b10001, 0b01111, 0b00001, 0b00010, 0b01100],
      ".": [0b00000, 0b00000, 0b00000, 0b00000, 0b00000, 0b01100, 0b01100],
      "-": [0b00000, 0b00000, 0b00000, 0b11111, 0b00000, 0b00000, 0b00000],
      "+": [0b00000, 0b00100, 0b00100, 0b11111, 0b00100, 0b00100, 0b00000],
      "%": [0b11000, 0b11001, 0b00010, 0b00100, 0b01000, 0b10011, 0b00011],
      "A": [0b01110, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
      "C": [0b01110, 0b10001, 0b10000, 0b10000, 0b10000, 0b10001, 0b01110],
      "D": [0b11110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b11110],
      "E": [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b11111],
      "F": [0b11111, 0b10000, 0b10000, 0b11110, 0b10000, 0b10000, 0b10000],
      "G": [0b01110, 0b10001, 0b10000, 0b10111, 0b10001, 0b10001, 0b01111],
      "H": [0b10001, 0b10001, 0b10001, 0b11111, 0b10001, 0b10001, 0b10001],
      "I": [0b01110, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b01110],
      "K": [0b10001, 0b10010, 0b10100, 0b11000, 0b10100, 0b10010, 0b10001],
      "L": [0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b10000, 0b11111],
      "N": [0b10001, 0b11001, 0b10101, 0b10011, 0b10001, 0b10001, 0b10001],
      "O": [0b01110, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
      "R": [0b11110, 0b10001, 0b10001, 0b11110, 0b10100, 0b10010, 0b10001],
      "S": [0b01111, 0b10000, 0b10000, 0b01110, 0b00001, 0b00001, 0b11110],
      "T": [0b11111, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100, 0b00100],
      "U": [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01110],
      "V": [0b10001, 0b10001, 0b10001, 0b10001, 0b10001, 0b01010, 0b00100],
      "Y": [0b10001, 0b10001, 0b01010, 0b00100, 0b00100, 0b00100, 0b00100],
    ]
  }
}
