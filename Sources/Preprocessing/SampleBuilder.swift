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
  /// Supervised is what follows the prompt of each answer, to the end of its turn, but no image's tokens. Nothing is
  /// ever truncated: an example of more than `maxLength` tokens is an error. Of a row whose template writes earlier
  /// answers in another way these are context alone; see `samples(of:)`.
  package func sample(for example: Example) throws(SampleError) -> Sample {
    try located(example) { () throws(SampleError.Reason) in
      let rendered = try rendered(example)
      let sample = try sample(id: example.id, try text(rendered.conversation).pieces, rendered)
      guard sample.supervisedTokens > 0 else { throw .noSupervisedToken }
      return sample
    }
  }

  /// The examples of a row with their samples: the row itself for the answers of its whole text, then one for each
  /// answer that the whole text writes in another way than generation is given it, in their order.
  /// - Throws: where any of them cannot be learned.
  package func samples(of row: Example) throws(SampleError) -> [(example: Example, sample: Sample)] {
    guard row.lastMessage == nil else { return [(row, try sample(for: row))] }
    let (whole, branches) = try located(row) { () throws(SampleError.Reason) -> (Sample?, [Int]) in
      let rendered = try rendered(row)
      let text = try text(rendered.conversation)
      guard text.branches.isEmpty || text.pieces.contains(where: \.supervised) else { return (nil, text.branches) }
      let sample = try sample(id: row.id, text.pieces, rendered)
      guard sample.supervisedTokens > 0 else { throw .noSupervisedToken }
      return (sample, text.branches)
    }
    var samples = whole.map { [(example: row, sample: $0)] } ?? []
    for index in branches {
      let branch = row.branch(endingWith: index)
      samples.append((branch, try sample(for: branch)))
    }
    return samples
  }

  /// The example up to its last answer, as generation is given it, and that answer.
  package func prompt(for example: Example) throws(SampleError) -> Prompt {
    try located(example) { () throws(SampleError.Reason) in
      var rendered = try rendered(example)
      try checkLength(rendered.conversation.question)
      let (pieces, images, answer) = try rendered.conversation.prompt(template, check: checkLength)
      rendered.frames = Array(rendered.frames.prefix(images))
      let sample = try sample(id: example.id, pieces, rendered)
      return Prompt(
        sample: sample, reference: answer, callsTools: rendered.conversation.callsTools, thoughts: template.thoughts)
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
    var conversation = try Conversation(messages, tools: example.tools, images: frames.count)
    if let last = example.lastMessage {
      conversation = conversation.branch(endingWith: last)
      frames = Array(frames.prefix(conversation.placedImages.count))
    }
    return Rendered(conversation: conversation, frames: frames, boxes: boxes, turned: turned)
  }

  /// Renders a conversation in pieces, unless it is far too long: that is found before it costs time and memory, in the
  /// texts, all of which a template must render, and in what it rendered.
  private func text(_ conversation: Conversation) throws(SampleError.Reason) -> ConversationText {
    try checkLength(conversation)
    return try conversation.text(template, check: checkLength)
  }

  /// Thoughts of earlier answers do not count: a template may leave them out.
  private func checkLength(_ conversation: Conversation) throws(SampleError.Reason) {
    var tokens = 0
    try conversation.eachInk(template.thoughts) { (ink) throws(SampleError.Reason) in
      tokens += encoding.fewestTokens(of: ink, isWhole: false)
      try check(tokens)
    }
  }

  private func checkLength(_ rendered: [UInt8]) throws(SampleError.Reason) {
    try check(encoding.fewestTokens(of: rendered, isWhole: true))
  }

  private func check(_ tokens: Int) throws(SampleError.Reason) {
    guard tokens <= maxLength else { throw .farTooLong(fewestTokens: tokens, limit: maxLength) }
  }

  private func sample(
    id: String, _ pieces: [Piece], _ rendered: Rendered
  ) throws(SampleError.Reason) -> Sample {
    let frames = rendered.frames
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
