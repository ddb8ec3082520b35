// One row as the model sees it, line by line: tokens, labels, positions, pictures and boxes.
import Datasets
import HuggingFace
import Preprocessing
import Units

/// A line of a listing.
package struct ListingLine: Sendable, Equatable {
  /// What a line shows, for colours.
  package enum Kind: Sendable, Equatable { case heading, token, supervised, picture }
  package var kind: Kind
  package var text: String
}

extension BaseModel {
  /// The listing of a row's sample: counts, pictures, boxes, then every token in order. A supervised token is marked
  /// with `*`; it is predicted by the token before it. A blank is shown as an open box.
  package func listing(of row: Row, sample: Sample) -> [ListingLine] {
    headings(row, sample).map { ListingLine(kind: .heading, text: $0) } + tokenLines(sample)
  }

  private func headings(_ row: Row, _ sample: Sample) -> [String] {
    let visual = sample.visualSpans.reduce(0) { $0 + $1.count }
    let pictures = row.images.count == 1 ? "picture" : "pictures"
    var lines = [
      "row \(row.id) (line \(row.line)): \(sample.inputIDs.count) tokens, \(visual) visual of \(row.images.count) "
        + "\(pictures), \(sample.supervisedTokens) supervised; next position \(sample.nextPosition)"
    ]
    for (index, source) in row.images.enumerated() {
      lines.append("picture \(index)  \(source.shortName)  \(Self.describe(sample, index))")
    }
    for (index, box) in (row.objects?.boxes ?? []).enumerated() {
      let written = sample.frames.indices.contains(box.image) ? sample.frames[box.image].toWritten(box) : nil
      lines.append(
        "box \(index)  picture \(box.image)  original \(Self.describe(box))  written "
          + (written.map(Self.describe) ?? "unknown"))
    }
    return lines + ["", "  index      id  position            label  token"]
  }

  private func tokenLines(_ sample: Sample) -> [ListingLine] {
    var lines: [ListingLine] = []
    var spans = sample.visualSpans.enumerated().makeIterator()
    var span = spans.next()
    var index = 0
    while index < sample.inputIDs.count {
      if let (picture, rows) = span, rows.lowerBound == index, !rows.isEmpty {
        let name = tokenizer.text(of: sample.inputIDs[index])
        let positions = Self.position(sample, index) + " to " + Self.position(sample, rows.upperBound - 1)
        lines.append(
          ListingLine(
            kind: .picture,
            text: Self.column(index, 7) + Self.column(sample.inputIDs[index], 8)
              + "  \(name) x \(rows.count) (\(Self.describe(sample, picture))), positions \(positions)"))
        index = rows.upperBound
        span = spans.next()
        continue
      }
      let id = sample.inputIDs[index]
      let isSupervised = sample.labels[index] != Sample.ignoredLabel
      let position = Self.position(sample, index)
      let padding = String(repeating: " ", count: max(0, 20 - position.count))
      lines.append(
        ListingLine(
          kind: isSupervised ? .supervised : .token,
          text: Self.column(index, 7) + Self.column(id, 8) + "  " + position + padding
            + (isSupervised ? "    *  " : "       ") + tokenizer.text(of: id).replacing(" ", with: "\u{2423}")))
      index += 1
    }
    return lines
  }

  /// `grid 1x12x18, original 385x640 -> 252x168`
  private static func describe(_ sample: Sample, _ picture: Int) -> String {
    guard sample.grids.indices.contains(picture), sample.frames.indices.contains(picture) else { return "unknown" }
    let (grid, frame) = (sample.grids[picture], sample.frames[picture])
    return "grid \(grid.t)x\(grid.h)x\(grid.w), original \(frame.original.width)x\(frame.original.height) -> "
      + "\(frame.resized.width)x\(frame.resized.height)"
  }

  private static func describe(_ box: Objects.Box) -> String {
    "[" + [box.x1, box.y1, box.x2, box.y2].map { "\(($0 * 100).rounded() / 100)" }.joined(separator: ", ") + "]"
  }

  private static func position(_ sample: Sample, _ index: Int) -> String {
    let axes = sample.positionIDs.map { $0[index] }
    return Set(axes).count == 1 ? "\(axes[0])" : axes.map(String.init).joined(separator: ",")
  }

  private static func column(_ value: some BinaryInteger, _ width: Int) -> String {
    let text = "\(value)"
    return String(repeating: " ", count: max(1, width - text.count)) + text
  }
}

extension ImageSource {
  /// The path, or what an inline picture is.
  var shortName: String {
    switch self {
    case .file(let path): path
    case .inline(let bytes): "data: URL of \(bytes.count) bytes"
    }
  }
}
