// Where the tokens of a batch lie: what its samples share once, then each one's own.
import Preprocessing

/// Where the tokens of a batch's samples lie: a common prefix, then a branch a sample.
struct Packing: Equatable {
  /// Tokens of all samples that are computed once; a single sample is all prefix.
  let prefix: Int
  let branches: [Range<Int>]
  let count: Int

  /// - Parameter sharesImages: whether the samples' visual tokens are of the same images.
  init(_ samples: [Sample], sharesImages: Bool) {
    guard samples.count > 1, let first = samples.first else {
      prefix = samples.first?.decisiveTokens ?? 0
      branches = []
      count = prefix
      return
    }
    // Every prediction stays in its branch, and an image is either whole in the prefix or whole in the branches.
    var shared = samples.map { sample in
      let firstLabel = sample.labels.firstIndex { $0 != Sample.ignoredLabel } ?? sample.labels.count
      let common = zip(first.inputIDs, sample.inputIDs).prefix { $0 == $1 }.count
      let limit = sharesImages ? common : sample.visualSpans.first?.lowerBound ?? common
      return min(common, limit, firstLabel - 1, sample.decisiveTokens - 1)
    }.reduce(first.inputIDs.count, min)
    for span in samples.flatMap(\.visualSpans) where span.contains(shared) { shared = min(shared, span.lowerBound) }
    var next = shared
    prefix = shared
    branches = samples.map { sample in
      defer { next += sample.decisiveTokens - shared }
      return next..<next + sample.decisiveTokens - shared
    }
    count = next
  }

  /// Where token `index` of sample `sample` lies.
  func position(of index: Int, sample: Int) -> Int {
    index < prefix ? index : branches[sample].lowerBound + index - prefix
  }
}
