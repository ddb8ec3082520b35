// Influence of every head as an image: what each score becomes on a logarithmic scale.
import Artifacts
import Foundation

/// A model's heads, layers as rows and heads as columns, each with its place between the least and the most.
package struct HeatMap: Sendable {
  /// Scores and the heads that they select.
  package let selection: HeadSelection
  /// Ends of the scale; scores below the lower end are drawn as it.
  package let lowest, highest: Double
  /// Sum of the positive scores of each layer.
  package let masses: [Double]
  /// Decades that the scale spans at most: lower scores are noise.
  private static var maximumDecades: Double { 6 }

  /// - Precondition: the selection was made from finite scores.
  package init(_ selection: HeadSelection) {
    precondition(!selection.scores.isEmpty && selection.scores.joined().allSatisfy(\.isFinite))
    self.selection = selection
    let positive = selection.scores.joined().filter { $0 > 0 }
    highest = positive.max() ?? 1
    lowest = max(positive.min() ?? 1, highest * pow(10, -Self.maximumDecades))
    masses = selection.scores.map { $0.reduce(0) { $0 + max($1, 0) } }
  }

  /// Heads of the widest layer.
  package var columns: Int { selection.scores.map(\.count).max() ?? 0 }

  /// The position of a head on the scale, 0 to 1; nil where it has no influence.
  package func level(layer: Int, head: Int) -> Double? {
    let score = selection.scores[layer][head]
    guard score > 0 else { return nil }
    guard highest > lowest else { return 1 }
    return min(max(log(score / lowest) / log(highest / lowest), 0), 1)
  }

  /// A layer's share of the total mass, 0 to 1.
  package func share(layer: Int) -> Double {
    let total = masses.reduce(0, +)
    return total > 0 ? masses[layer] / total : 0
  }

  package func isSelected(layer: Int, head: Int) -> Bool { selection.kvIndices[layer].contains(head) }
}

/// A colour of 8 bits a channel (sRGB).
package struct Colour: Equatable, Sendable {
  package var red, green, blue: UInt8

  /// Perceptually even from dark to light: nine control points of matplotlib's viridis (CC0) and straight lines.
  package static func viridis(_ level: Double) -> Colour {
    let points: [(Double, Double, Double)] = [
      (68, 1, 84), (71, 44, 122), (59, 81, 139), (44, 113, 142), (33, 144, 141), (39, 173, 129), (92, 200, 99),
      (170, 220, 50), (253, 231, 37),
    ]
    let place = min(max(level, 0), 1) * Double(points.count - 1)
    let index = min(Int(place), points.count - 2)
    let (a, b, t) = (points[index], points[index + 1], place - Double(index))
    func mix(_ a: Double, _ b: Double) -> UInt8 { UInt8((a + (b - a) * t).rounded()) }
    return Colour(red: mix(a.0, b.0), green: mix(a.1, b.1), blue: mix(a.2, b.2))
  }

  /// Whether dark text reads better on it than light text.
  package var isLight: Bool { 299 * Int(red) + 587 * Int(green) + 114 * Int(blue) > 128_000 }

  /// As `#1f9e89`.
  package var hexadecimal: String {
    "#" + [red, green, blue].map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
  }

  /// The nearest colour of a terminal's 6 x 6 x 6 cube.
  var terminalIndex: Int {
    let levels = [0, 95, 135, 175, 215, 255]
    func nearest(_ value: UInt8) -> Int {
      levels.indices.min { abs(levels[$0] - Int(value)) < abs(levels[$1] - Int(value)) } ?? 0
    }
    return 16 + 36 * nearest(red) + 6 * nearest(green) + nearest(blue)
  }
}
