// One answer, printed while it grows: what generate does once and chat again and again.
import Adapters
import Batches
import Datasets
import Evaluation
import Foundation
import Preprocessing
import QwenVL

/// A model that answers conversations, one at a time.
struct Answering {
  private let base: BaseModel
  private let adapter: (any ProjectionAdapter<Float>)?
  private let samples: SampleBuilder
  private let options: GenerationOptions

  init(_ options: GenerationOptions) throws {
    self.options = options
    (base, adapter, samples) = try options.open()
  }

  /// Generates and prints the answer to an example's last message.
  /// - Returns: its text.
  func answer(_ example: Example) throws -> String {
    let sample = try samples.prompt(for: example).sample
    try base.imageNotices(of: example, sample).forEach(complain)
    let features = try base.features(of: example, sample: sample, adapter: adapter)
    let decoding = options.decoding.decoding
    // With stop texts the end of what may be printed is known at the end alone.
    var growing = GrowingAnswer()
    let generation = try Generator(base, maxNewTokens: options.maxNewTokens, decoding: decoding)
      .run([EvaluationGroup(prompts: [sample], features: features)], adapter: adapter) { _, token in
        if decoding.stops.isEmpty { growing.add(base.tokenizer.bytes(of: token)) }
      }.generations[0]
    let text = generation.text(base.tokenizer)
    if !decoding.stops.isEmpty { growing.add(Array(text.utf8)) }
    growing.end()
    try base.requireUnchanged()
    if !generation.isFinished {
      complain("the answer was truncated after \(options.maxNewTokens) tokens; raise --max-new-tokens for the rest")
    }
    return text
  }
}

extension Message {
  /// A text in which each <image> is the place of an image, from `first` on; `images` without a place come first.
  init(_ role: Role, placing text: String, images: Range<Int>) {
    var parts: [ContentPart] = []
    var placed = images.lowerBound
    for (index, piece) in text.components(separatedBy: "<image>").enumerated() {
      if index > 0 {
        parts.append(.image(placed))
        placed += 1
      }
      if !piece.isEmpty { parts.append(.text(piece)) }
    }
    self.init(role: role, content: (placed..<max(placed, images.upperBound)).map(ContentPart.image) + parts)
  }
}
