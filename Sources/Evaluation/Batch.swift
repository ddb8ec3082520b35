// Which examples are run together: a function of the examples alone, so that the number of ranks changes no bit.
import Datasets

/// Image groups whose answers are generated together.
struct Batch {
  private(set) var groups: [ImageGroup]
  /// Tokens of all examples and of their answers at their longest.
  private(set) var tokens: Int
  /// Indices of all examples, group by group.
  var examples: [Int] { groups.flatMap(\.examples) }

  /// All examples in batches within the bounds of an image group: one group a batch where nothing is generated,
  /// otherwise as many as fit. Text-only examples are in batches of their own, since an adapter of visual tokens acts
  /// on none of them.
  /// - Parameters:
  ///   - newTokens: the longest answer; 0: nothing is generated.
  ///   - tokens: how many tokens an image group has.
  static func all(of examples: [Example], newTokens: Int, tokens: (ImageGroup) -> Int) -> [Batch] {
    func held(_ group: ImageGroup) -> Int { tokens(group) + group.examples.count * newTokens }
    let groups = imageGroups(of: examples, tokens: held)
    func isText(_ group: ImageGroup) -> Bool { examples[group.examples[0]].images.isEmpty }
    var batches: [Batch] = []
    for kind in [groups.filter { !isText($0) }, groups.filter(isText)] {
      var batch = Batch(groups: [], tokens: 0)
      for group in kind {
        let fits =
          newTokens > 0 && batch.examples.count + group.examples.count <= ImageGroup.maximumExamples
          && batch.tokens + held(group) <= ImageGroup.maximumTokens
        if !fits, !batch.groups.isEmpty {
          batches.append(batch)
          batch = Batch(groups: [], tokens: 0)
        }
        batch.groups.append(group)
        batch.tokens += held(group)
      }
      if !batch.groups.isEmpty { batches.append(batch) }
    }
    return batches
  }
}
