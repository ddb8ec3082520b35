// Where the tokens of a batch lie: what all samples share once, what those of an image share once, then each one's own.
import Preprocessing
import QwenVL

/// The tokens of a batch's samples as a tree: tokens that some samples share, followed by those of fewer of them, down
/// to each sample's own.
struct Packing: Equatable {
  /// Consecutive tokens of some samples.
  struct Segment: Equatable {
    /// The segment that it continues, among those before it.
    let parent: Int?
    /// The samples that have these tokens.
    let samples: Range<Int>
    /// Which of their tokens.
    let tokens: Range<Int>
    /// Where the first of them lies in the batch.
    let start: Int

    var range: Range<Int> { start..<start + tokens.count }

    /// Where token `index` of the samples lies.
    func position(of index: Int) -> Int { start + index - tokens.lowerBound }
  }

  /// From the one that all samples share, of which a single sample is the whole.
  private(set) var segments: [Segment] = []
  /// The segment that is a sample's own, or ends it.
  private(set) var ends: [Int] = []

  var count: Int { segments.last?.range.upperBound ?? 0 }
  /// Tokens that all samples share.
  var prefix: Int { segments.first?.tokens.count ?? 0 }

  /// - Parameter groups: samples of the same images each. Samples of different groups share at most the text before
  ///   their first images.
  init(_ groups: [[Sample]]) {
    let all = Array(groups.joined())
    guard all.count > 1 else {
      for sample in all { append(0..<1, tokens: 0..<sample.decisiveTokens, of: nil) }
      return
    }
    let shared = Self.shared(all, inImages: groups.count == 1)
    append(0..<all.count, tokens: 0..<shared, of: nil)
    var first = 0
    for group in groups {
      let samples = first..<first + group.count
      // The images of an only group are in what all share.
      let common = groups.count > 1 && group.count > 1 ? max(shared, Self.shared(group, inImages: true)) : shared
      let parent = common > shared ? append(samples, tokens: shared..<common, of: 0) : 0
      for (index, sample) in zip(samples, group) {
        append(index..<index + 1, tokens: common..<sample.decisiveTokens, of: parent)
      }
      first = samples.upperBound
    }
  }

  /// - Returns: the index of the segment.
  @discardableResult
  private mutating func append(_ samples: Range<Int>, tokens: Range<Int>, of parent: Int?) -> Int {
    if samples.count == 1 { ends.append(segments.count) }
    segments.append(Segment(parent: parent, samples: samples, tokens: tokens, start: count))
    return segments.count - 1
  }

  /// How many first tokens samples share. Every prediction stays in its own segment, and an image is whole in one.
  private static func shared(_ samples: [Sample], inImages: Bool) -> Int {
    let first = samples[0]
    var shared = samples.map { sample in
      let firstLabel = sample.labels.firstIndex { $0 != Sample.ignoredLabel } ?? sample.labels.count
      let common = zip(first.inputIDs, sample.inputIDs).prefix { $0 == $1 }.count
      let limit = inImages ? common : sample.visualSpans.first?.lowerBound ?? common
      return min(common, limit, firstLabel - 1, sample.decisiveTokens - 1)
    }.reduce(first.inputIDs.count, min)
    for span in samples.flatMap(\.visualSpans) where span.contains(shared) { shared = min(shared, span.lowerBound) }
    return shared
  }

  /// Where token `index` of sample `sample` lies.
  func position(of index: Int, sample: Int) -> Int {
    var segment = segments[ends[sample]]
    while index < segment.tokens.lowerBound, let parent = segment.parent { segment = segments[parent] }
    return segment.position(of: index)
  }

  /// The slots of the segments; see `SequenceSlot.tree`.
  func slots(known: Int = 0, from firstKey: Int = 0, reserving reserved: Int = 0) -> [SequenceSlot] {
    SequenceSlot.tree(
      segments.map { ($0.parent, $0.tokens.count) }, known: known, from: firstKey, reserving: reserved)
  }
}
