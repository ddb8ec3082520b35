// From an example to a sample: sizes, boxes, template, tokens, labels, positions; pixels only on demand.
import Datasets

/// Makes samples and prompts from examples; a pure function of tokenizer, template, settings and the images' sizes.
package struct SampleBuilder: Sendable {
  static let imageToken = "<|image_pad|>"

  private let encoding: any TextEncoding
  private let template: any PromptRendering
  private let processor: ImageProcessor
  package let coordinates: Coordinates
  /// How images are decoded.
  package var reading: ImageReading { processor.reading }
  private let maxLength: Int
  private let maximumPixels: Int
  private let imageTokenID: Int32

  /// `coordinates` are those that the model writes; `maxLength` is in tokens; `maximumPixels` bounds an image before it
  /// is decoded.
  ///
  /// Throws `PreprocessingError.missingToken` for a tokenizer without `<|image_pad|>`.
  package init(
    encoding: any TextEncoding, template: any PromptRendering, processor: ImageProcessor,
    coordinates: Coordinates = .pixels,
    maxLength: Int, maximumPixels: Int = ImageDecoder.maximumPixels
  ) throws(PreprocessingError) {
    guard let imageTokenID = encoding.id(of: Self.imageToken) else { throw .missingToken(Self.imageToken) }
    self.encoding = encoding
    self.template = template
    self.processor = processor
    self.coordinates = coordinates
    self.maxLength = maxLength
    self.maximumPixels = maximumPixels
    self.imageTokenID = imageTokenID
  }

  /// The example with its answers' tokens as labels; reads the headers of its images and no more.
  ///
  /// Supervised are each answer's content and the end of its turn, but no image's tokens. Nothing is ever
  /// truncated: an example of more than `maxLength` tokens is an error.
  package func sample(for example: Example) throws(SampleError) -> Sample {
    try located(example) { () throws(SampleError.Reason) in
      let rendered = try rendered(example)
      let pieces = try pieces(rendered.conversation, addGenerationPrompt: false)
      let sample = try sample(id: example.id, pieces, rendered.frames, rendered)
      guard sample.supervisedTokens > 0 else { throw .noSupervisedToken }
      return sample
    }
  }

  /// The example up to its last answer, as generation is given it, and that answer.
  package func prompt(for example: Example) throws(SampleError) -> Prompt {
    try located(example) { () throws(SampleError.Reason) in
      let rendered = try rendered(example)
      let (question, answer) = rendered.conversation.beforeLastAnswer()
      let pieces = try pieces(question, addGenerationPrompt: true)
        .map { Piece(text: $0.text, supervised: false) }
      let frames = Array(rendered.frames.prefix(question.placedImages.count))
      let sample = try sample(id: example.id, pieces, frames, rendered)
      return Prompt(sample: sample, reference: answer)
    }
  }

  /// The pixels of a sample of this example, image by image; throws where an image changed since the sample was made.
  package func images(of example: Example, for sample: Sample) throws(SampleError) -> [ProcessedImage] {
    precondition(
      sample.id == example.id && sample.frames.count <= example.images.count, "the sample is another example's")
    return try located(example) { () throws(SampleError.Reason) in
      var images: [ProcessedImage] = []
      for (source, frame) in zip(example.images, sample.frames) {
        images.append(
          try Self.asReason { () throws(PreprocessingError) in
            try processor.process(
              ImageDecoder.bytes(of: source), expecting: frame, name: source.name, maximumPixels: maximumPixels)
          })
      }
      return images
    }
  }

  /// An example's messages with their places filled, and what was found out about its images.
  private struct Rendered {
    var conversation: Conversation
    var frames: [ImageFrame]
    var boxes: [Objects.Box]
    /// Images whose EXIF orientation is not upright, where boxes depend on it.
    var turned: [Int]
  }

  private func rendered(_ example: Example) throws(SampleError.Reason) -> Rendered {
    var frames: [ImageFrame] = []
    var turned: [Int] = []
    let isApplied = processor.reading.exifOrientation == .apply
    let findsOrientation = isApplied || example.objects?.boxes.isEmpty == false
    for (index, source) in example.images.enumerated() {
      var frame = try Self.asReason { () throws(PreprocessingError) in
        let (stored, orientation) = try ImageDecoder.header(
          of: source, findsOrientation: findsOrientation, maximumPixels: maximumPixels)
        if orientation != .upright { turned.append(index) }
        return try processor.frame(
          of: isApplied ? stored.turned(orientation) : stored, request: source.requestedSize, name: source.name)
      }
      frame.coordinates = coordinates
      frames.append(frame)
    }
    let boxes = try example.objects?.pixels(on: frames) ?? []
    let messages = try Placeholders.filled(example.messages, objects: example.objects, frames: frames)
    let conversation = try Conversation(messages, tools: example.tools, images: frames.count)
    return Rendered(conversation: conversation, frames: frames, boxes: boxes, turned: turned)
  }

  /// Renders a conversation in pieces, unless it is far too long: that is found before it costs time and memory, in the
  /// texts, all of which a template must render, and in what it rendered.
  private func pieces(
    _ conversation: Conversation, addGenerationPrompt: Bool
  ) throws(SampleError.Reason) -> [Piece] {
    func check(_ tokens: Int) throws(SampleError.Reason) {
      guard tokens <= maxLength else { throw .farTooLong(fewestTokens: tokens, limit: maxLength) }
    }
    var tokens = 0
    try conversation.eachInk { (_, ink) throws(SampleError.Reason) in
      tokens += encoding.fewestTokens(of: ink, isWhole: false)
      try check(tokens)
    }
    return try conversation.pieces(template, addGenerationPrompt: addGenerationPrompt) {
      (rendered) throws(SampleError.Reason) in
      try check(encoding.fewestTokens(of: rendered, isWhole: true))
    }
  }

  private func sample(
    id: String, _ pieces: [Piece], _ frames: [ImageFrame], _ rendered: Rendered
  ) throws(SampleError.Reason) -> Sample {
    let encoded = pieces.map { (ids: encoding.encode($0.text), supervised: $0.supervised) }
    let found = encoded.reduce(0) { $0 + $1.ids.count { $0 == imageTokenID } }
    guard found == frames.count else { throw .imageTokens(found: found, images: frames.count) }
    let (grids, mergeSize) = (frames.map(processor.grid), processor.settings.mergeSize)
    let lengths = grids.map { $0.tokens(mergeSize: mergeSize) }
    // Before any token is copied: an example may name any number of images.
    let total = encoded.reduce(0) { $0 + $1.ids.count } + lengths.reduce(0, +) - found
    guard total <= maxLength else { throw .tooLong(tokens: total, limit: maxLength) }

    var (inputIDs, labels, spans): ([Int32], [Int32], [Range<Int>]) = ([], [], [])
    inputIDs.reserveCapacity(total)
    labels.reserveCapacity(total)
    for piece in encoded {
      for token in piece.ids {
        let isImage = token == imageTokenID
        let copies = isImage ? lengths[spans.count] : 1
        if isImage { spans.append(inputIDs.count..<inputIDs.count + copies) }
        inputIDs.append(contentsOf: repeatElement(token, count: copies))
        let label = piece.supervised && !isImage ? token : Sample.ignoredLabel
        labels.append(contentsOf: repeatElement(label, count: copies))
      }
    }
    let rope = try Self.asReason { () throws(PreprocessingError) in
      try mropePositions(inputIDs: inputIDs, imageTokenID: imageTokenID, grids: grids, mergeSize: mergeSize)
    }
    return Sample(
      id: id, inputIDs: inputIDs, labels: labels, visualSpans: spans, positionIDs: rope.positions, grids: grids,
      frames: frames, boxes: rendered.boxes, turned: rendered.turned, nextPosition: rope.next)
  }

  private static func asReason<T>(
    _ body: () throws(PreprocessingError) -> T
  ) throws(SampleError.Reason) -> T {
    do { return try body() } catch { throw .image(error) }
  }

  private func located<T>(_ example: Example, _ body: () throws(SampleError.Reason) -> T) throws(SampleError) -> T {
    do { return try body() } catch { throw SampleError(id: example.id, line: example.line, reason: error) }
  }
}
