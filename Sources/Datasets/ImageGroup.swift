// Image groups: examples that share their images are computed together, and groups are assigned to ranks by cost.
import Files

/// Examples of the same images. Their common prefix is computed once.
package struct ImageGroup: Sendable, Equatable {
  /// Most examples of a group that is formed over a whole data set.
  package static let maximumExamples = 16
  /// Most tokens of such a group, unless it has a single example.
  package static let maximumTokens = 8192

  /// Indices into the data set, in the order of the step or the data set.
  package let examples: [Int]
  package init(examples: [Int]) { self.examples = examples }
}

extension Sampler {
  /// A step's examples as image groups: neighbours of equal key share one; without keys every example has its own.
  package func imageGroups(step: Int, grouping keys: [Int]? = nil) -> [ImageGroup] {
    precondition(keys == nil || keys?.count == exampleCount, "one group key an example")
    let examples = examples(step: step)
    guard let keys else { return examples.map { ImageGroup(examples: [$0]) } }
    var groups: [[Int]] = []
    for example in examples {
      if let neighbour = groups.last?.last, keys[neighbour] == keys[example] {
        groups[groups.count - 1].append(example)
      } else {
        groups.append([example])
      }
    }
    return groups.map(ImageGroup.init(examples:))
  }
}

/// A group key for each example: equal where the lists of images are equal; an example without images is alone, or with
/// the answers of its row.
package func imageKeys(of examples: [Example]) -> [Int] {
  var keys: [[ImageSource]: Int] = [:]
  var rows: [ExactString: Int] = [:]
  return examples.enumerated().map { index, example in
    guard !example.images.isEmpty else {
      let row = ExactString(example.row)
      guard example.lastMessage != nil, let key = rows[row] else {
        rows[row] = index
        return index
      }
      return key
    }
    let key = keys[example.images] ?? index
    keys[example.images] = key
    return key
  }
}

/// Image groups that are computed together: as many as have up to `limit` examples, or one that has more. Text-only
/// examples are separate from examples with images, since no adapter learns from them. The result is a function of the
/// groups alone, so that the number of ranks changes no bit.
package func microBatches(of groups: [ImageGroup], examples limit: Int, isText: (Int) -> Bool) -> [[ImageGroup]] {
  var batches: [[ImageGroup]] = []
  var open: [Bool: (place: Int, examples: Int)] = [:]
  for group in groups {
    let kind = isText(group.examples[0])
    if let last = open[kind], last.examples + group.examples.count <= limit {
      batches[last.place].append(group)
      open[kind] = (last.place, last.examples + group.examples.count)
    } else {
      // A group that fills a pass leaves the one before it open.
      if group.examples.count < limit { open[kind] = (batches.count, group.examples.count) }
      batches.append([group])
    }
  }
  return batches
}

/// All examples as image groups, in the order of their first examples. A group has as many examples as memory should
/// hold at once. The result is a function of the examples and their tokens alone.
/// - Parameter tokens: how many tokens a group has.
package func imageGroups(of examples: [Example], tokens: (ImageGroup) -> Int) -> [ImageGroup] {
  imageGroups(keys: imageKeys(of: examples), tokens: tokens)
}

/// The same of examples whose group keys are known.
package func imageGroups(keys: [Int], tokens: (ImageGroup) -> Int) -> [ImageGroup] {
  var groups: [ImageGroup] = []
  var open: [Int: Int] = [:]
  for (example, key) in keys.enumerated() {
    if let place = open[key] {
      let larger = ImageGroup(examples: groups[place].examples + [example])
      if larger.examples.count <= ImageGroup.maximumExamples, tokens(larger) <= ImageGroup.maximumTokens {
        groups[place] = larger
        continue
      }
    }
    open[key] = groups.count
    groups.append(ImageGroup(examples: [example]))
  }
  return groups
}

/// The image groups of a probe: of all examples, or of some that are drawn by a seed. Backward is each example's own,
/// so a group has as many tokens as its examples have alone.
/// - Parameters:
///   - keys: group key of each example.
///   - tokens: of each example.
///   - wanted: how many are drawn; more than there are: all.
package func probedGroups(keys: [Int], tokens: [Int], drawing wanted: Int, seed: UInt64) -> [ImageGroup] {
  let count = keys.count
  let drawn =
    wanted < count
    ? Sampler(examples: count, globalBatch: wanted, seed: seed).examples(step: 0).sorted() : Array(0..<count)
  func inAll(_ group: ImageGroup) -> ImageGroup { ImageGroup(examples: group.examples.map { drawn[$0] }) }
  return imageGroups(keys: drawn.map { keys[$0] }) { inAll($0).examples.reduce(0) { $0 + tokens[$1] } }.map(inAll)
}

/// The results of the examples of each group, put into the order of all examples.
/// - Precondition: the groups have every example from 0 on, once, and a result for each.
package func inExampleOrder<Result>(_ results: [[Result]], of groups: [ImageGroup]) -> [Result] {
  let examples = groups.flatMap(\.examples)
  precondition(results.map(\.count) == groups.map(\.examples.count), "a result an example")
  return zip(examples, results.joined()).sorted { $0.0 < $1.0 }.map(\.1)
}
