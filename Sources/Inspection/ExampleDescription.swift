// One example as the model sees it: tokens, labels, positions, images and boxes.
import Batches
import Datasets
import Formatting
import Preprocessing

/// What `imagelora inspect` shows of an example; `lines` for people, the properties for programs.
package struct ExampleDescription: Encodable, Equatable {
  /// One token; the visual tokens of an image stand one by one here and in one line in `lines`.
  package struct Token: Encodable, Equatable {
    let index: Int
    let id: Int32
    let text: String
    /// M-RoPE position: time, height, width.
    let position: [Int32]
    let isSupervised: Bool
    /// The image that a visual token is of.
    let image: Int?
  }

  package struct Image: Encodable, Equatable {
    let source: String
    /// Patches of the resized image, `[t, h, w]`, and sizes `[width, height]`; nil where the image was not placed.
    let grid, original, resized: [Int]?
  }

  package struct Box: Encodable, Equatable {
    let image: Int
    /// `[x1, y1, x2, y2]` in pixels of the original image, and as it is written in texts.
    let original: [Double]
    let written: [Double]?
  }

  let id: String
  /// Ids of all examples of the row: one, unless the template writes earlier answers in another way than the last one.
  let examplesOfRow: [String]
  let line, visualTokens, supervisedTokens: Int
  let nextPosition: Int32
  let images: [Image]
  let boxes: [Box]
  let tokens: [Token]

  package init(_ example: Example, sample: Sample, base: BaseModel, examplesOfRow: [String]? = nil) {
    (id, line) = (example.id, example.line)
    self.examplesOfRow = examplesOfRow ?? [example.id]
    visualTokens = sample.visualSpans.reduce(0) { $0 + $1.count }
    (supervisedTokens, nextPosition) = (sample.supervisedTokens, sample.nextPosition)
    images = example.images.enumerated().map { Image($1, sample, index: $0) }
    boxes = sample.boxes.map { box in
      let frame = sample.frames.indices.contains(box.image) ? sample.frames[box.image] : nil
      return Box(image: box.image, original: box.corners, written: frame?.toWritten(box).corners)
    }
    var imageOf: [Int: Int] = [:]
    for (image, span) in sample.visualSpans.enumerated() { for index in span { imageOf[index] = image } }
    tokens = sample.inputIDs.indices.map { index in
      Token(
        index: index, id: sample.inputIDs[index], text: base.tokenizer.text(of: sample.inputIDs[index]),
        position: sample.positionIDs.map { $0[index] }, isSupervised: sample.labels[index] != Sample.ignoredLabel,
        image: imageOf[index])
    }
  }

  /// A line for people.
  package struct Line: Sendable, Equatable {
    /// What a line shows, for colours.
    package enum Kind: Sendable, Equatable { case heading, token, supervised, image }
    package let kind: Kind
    package let text: String
  }

  /// Counts, images, boxes, then every token in order, an image's in one line. A supervised token is marked with `*`;
  /// it is predicted by the token before it. A blank is shown as an open box.
  package var lines: [Line] { headings.map { Line(kind: .heading, text: $0) } + tokenLines }

  private var headings: [String] {
    [
      "example \(id) (line \(line)): \(tokens.count) tokens, \(visualTokens) visual of \(plural(images.count, "image")), "
        + "\(supervisedTokens) supervised; next position \(nextPosition)"
    ]
      + images.enumerated().map { "image \($0)  \($1.source)  \($1.words)" }
      + boxes.enumerated().map { index, box in
        "box \(index)  image \(box.image)  original \(Self.words(box.original))  written "
          + (box.written.map(Self.words) ?? "unknown")
      } + ["", "  index      id  position            label  token"]
  }

  private var tokenLines: [Line] {
    var lines: [Line] = []
    var rest = tokens[...]
    while let token = rest.first {
      let head = rightAligned("\(token.index)", to: 7) + rightAligned("\(token.id)", to: 8) + "  "
      guard let image = token.image else {
        let label = token.isSupervised ? "    *  " : "       "
        let text = token.text.replacing(" ", with: "\u{2423}")
        lines.append(
          Line(
            kind: token.isSupervised ? .supervised : .token,
            text: head + padded(token.positionWords, to: 20) + label + text))
        rest.removeFirst()
        continue
      }
      let span = rest.prefix { $0.image == image }
      rest = rest.dropFirst(span.count)
      let positions = "\(token.positionWords) to \(span.last?.positionWords ?? "")"
      lines.append(
        Line(
          kind: .image, text: head + "\(token.text) x \(span.count) (\(images[image].words)), positions \(positions)"))
    }
    return lines
  }

  private static func words(_ box: [Double]) -> String {
    "[" + box.map { "\(($0 * 100).rounded() / 100)" }.joined(separator: ", ") + "]"
  }
}

extension ExampleDescription.Token {
  /// One number where the three axes agree.
  var positionWords: String {
    Set(position).count == 1 ? "\(position[0])" : position.map(String.init).joined(separator: ",")
  }
}

extension ExampleDescription.Image {
  init(_ source: ImageSource, _ sample: Sample, index: Int) {
    let name = source.name
    guard sample.grids.indices.contains(index), sample.frames.indices.contains(index) else {
      self.init(source: name, grid: nil, original: nil, resized: nil)
      return
    }
    let (grid, frame) = (sample.grids[index], sample.frames[index])
    self.init(
      source: name, grid: [grid.t, grid.h, grid.w], original: [frame.original.width, frame.original.height],
      resized: [frame.resized.width, frame.resized.height])
  }

  /// `grid 1x12x18, original 385x640 -> 252x168`
  var words: String {
    guard let grid, let original, let resized else { return "unknown" }
    func joined(_ sizes: [Int]) -> String { sizes.map(String.init).joined(separator: "x") }
    return "grid \(joined(grid)), original \(joined(original)) -> \(joined(resized))"
  }
}

extension Objects.Box {
  fileprivate var corners: [Double] { [x1, y1, x2, y2] }
}
