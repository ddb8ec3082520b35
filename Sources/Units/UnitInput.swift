// Rows of one picture as one decoder input: what they share once, then each row's own branch.
import Datasets
import Preprocessing
import QwenVL
import Tensors

/// A unit ready to run: the decoder's rows, which of them predict a supervised token, and whose loss that is.
public struct UnitInput: Sendable {
  public let decoderInput: DecoderInput<Float>
  /// Decoder rows that predict a supervised token, ascending.
  public let outputRows: [Int]
  /// The token that each of them predicts.
  public let targets: [Int32]
  /// Which of the unit's rows each of them belongs to.
  public let rowOfOutput: [Int]
  /// Rows of data in the unit.
  public let rowCount: Int
  /// The decoder row of each sample's last token, ascending: it predicts what follows the sample.
  public let lastRows: [Int]
  /// Each sample's sequence in a cache, to be continued.
  public let sequences: [KeyRun]
}

/// Where the tokens of a unit's samples lie: a common prefix, then a branch a sample.
struct Packing: Equatable {
  /// Tokens of all samples that are computed once; a single sample is all prefix.
  let prefix: Int
  let branches: [Range<Int>]
  let count: Int

  init(_ samples: [Sample]) {
    guard samples.count > 1, let first = samples.first else {
      prefix = samples.first?.inputIDs.count ?? 0
      branches = []
      count = prefix
      return
    }
    // Every prediction stays in its branch, and a picture is either whole in the prefix or whole in the branches.
    var shared = samples.map { sample in
      let firstLabel = sample.labels.firstIndex { $0 != Sample.ignoredLabel } ?? sample.labels.count
      let common = zip(first.inputIDs, sample.inputIDs).prefix { $0 == $1 }.count
      return min(common, firstLabel - 1, sample.inputIDs.count - 1)
    }.reduce(first.inputIDs.count, min)
    for span in samples.flatMap(\.visualSpans) where span.contains(shared) { shared = min(shared, span.lowerBound) }
    var next = shared
    prefix = shared
    branches = samples.map { sample in
      defer { next += sample.inputIDs.count - shared }
      return next..<next + sample.inputIDs.count - shared
    }
    count = next
  }

  /// The decoder row of token `index` of sample `sample`.
  func row(of index: Int, sample: Int) -> Int {
    index < prefix ? index : branches[sample].lowerBound + index - prefix
  }
}

extension BaseModel {
  /// Packs samples of the same pictures.
  /// - Parameters:
  ///   - features: the pictures' visual tokens; a sample may have fewer of the pictures, which are then the first ones.
  ///   - firstKey: where in a cache the unit's keys begin.
  ///   - room: keys that stay free behind each sample for tokens to come.
  /// - Precondition: every sample has a token.
  public func unitInput(
    _ samples: [Sample], features: [Matrix<Float>], firstKey: Int = 0, room: Int = 0
  ) -> UnitInput {
    let packing = Packing(samples)
    var ids = [Int32](repeating: 0, count: packing.count)
    var positions = [[Int32]](repeating: ids, count: 3)
    var visual: [(rows: Range<Int>, features: Matrix<Float>)] = []
    var outputs: [(row: Int, target: Int32, sample: Int)] = []
    for (index, sample) in samples.enumerated() {
      let own = index == 0 ? 0 : packing.prefix
      for token in own..<sample.inputIDs.count {
        let row = packing.row(of: token, sample: index)
        ids[row] = sample.inputIDs[token]
        for axis in 0..<3 { positions[axis][row] = sample.positionIDs[axis][token] }
      }
      for (span, picture) in zip(sample.visualSpans, features) where span.lowerBound >= own {
        let start = packing.row(of: span.lowerBound, sample: index)
        visual.append((start..<start + span.count, picture))
      }
      for token in 1..<sample.labels.count where sample.labels[token] != Sample.ignoredLabel {
        outputs.append((packing.row(of: token - 1, sample: index), sample.labels[token], index))
      }
    }
    let embeddings = model.embed(ids, visual: visual.map(\.rows), features: visual.map(\.features))
    let input = DecoderInput(
      embeddings: embeddings, positions: positions, visual: visual.map(\.rows), prefix: packing.prefix,
      branches: packing.branches, firstKey: firstKey, room: room)
    return UnitInput(
      decoderInput: input,
      outputRows: outputs.map(\.row), targets: outputs.map(\.target), rowOfOutput: outputs.map(\.sample),
      rowCount: samples.count,
      lastRows: samples.enumerated().map { packing.row(of: $1.inputIDs.count - 1, sample: $0) },
      sequences: Array(input.runs.suffix(samples.count)))
  }
}
