// Rows as one decoder input: what they share once, then each row's own branch.
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

  /// - Parameter samePictures: whether a picture's tokens are the same picture in all samples.
  init(_ samples: [Sample], samePictures: Bool = true) {
    guard samples.count > 1, let first = samples.first else {
      prefix = samples.first?.decisiveTokens ?? 0
      branches = []
      count = prefix
      return
    }
    // Every prediction stays in its branch, and a picture is either whole in the prefix or whole in the branches.
    var shared = samples.map { sample in
      let firstLabel = sample.labels.firstIndex { $0 != Sample.ignoredLabel } ?? sample.labels.count
      let common = zip(first.inputIDs, sample.inputIDs).prefix { $0 == $1 }.count
      let limit = samePictures ? common : sample.visualSpans.first?.lowerBound ?? common
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

  /// The decoder row of token `index` of sample `sample`.
  func row(of index: Int, sample: Int) -> Int {
    index < prefix ? index : branches[sample].lowerBound + index - prefix
  }
}

extension BaseModel {
  /// Packs samples of the same pictures.
  /// - Parameters:
  ///   - features: the pictures' visual tokens; a sample may have fewer of the pictures, which are then the first ones.
  ///   - adapter: one that will act on all tokens; without, text before the first picture is not computed again.
  ///   - firstKey: where in a cache the unit's keys begin.
  ///   - room: keys that stay free behind each sample for tokens to come.
  /// - Precondition: every sample has a token.
  public func unitInput(
    _ samples: [Sample], features: [Matrix<Float>], adapter: (any ProjectionAdapter<Float>)? = nil, firstKey: Int = 0,
    room: Int = 0
  ) -> UnitInput {
    input(
      samples, Packing(samples), features: samples.map { _ in features }, adapter: adapter, firstKey: firstKey,
      room: room)
  }

  /// Packs samples of different pictures: they share at most the text before their first pictures.
  /// - Parameters:
  ///   - features: the visual tokens of each sample's pictures.
  ///   - adapter: one that will act on all tokens.
  /// - Precondition: every sample has a token.
  public func unitInput(
    _ samples: [Sample], features: [[Matrix<Float>]], adapter: (any ProjectionAdapter<Float>)? = nil
  ) -> UnitInput {
    input(samples, Packing(samples, samePictures: false), features: features, adapter: adapter)
  }

  private func input(
    _ samples: [Sample], _ packing: Packing, features: [[Matrix<Float>]], adapter: (any ProjectionAdapter<Float>)?,
    firstKey: Int = 0, room: Int = 0
  ) -> UnitInput {
    var ids = [Int32](repeating: 0, count: packing.count)
    var positions = [[Int32]](repeating: ids, count: 3)
    var visual: [(rows: Range<Int>, features: Matrix<Float>)] = []
    var outputs: [(row: Int, target: Int32, sample: Int)] = []
    for (index, sample) in samples.enumerated() {
      let own = index == 0 ? 0 : packing.prefix
      for token in own..<sample.decisiveTokens {
        let row = packing.row(of: token, sample: index)
        ids[row] = sample.inputIDs[token]
        for axis in 0..<3 { positions[axis][row] = sample.positionIDs[axis][token] }
      }
      for (span, picture) in zip(sample.visualSpans, features[index])
      where own..<sample.decisiveTokens ~= span.lowerBound {
        let start = packing.row(of: span.lowerBound, sample: index)
        visual.append((start..<start + span.count, picture))
      }
      for token in 1..<sample.labels.count where sample.labels[token] != Sample.ignoredLabel {
        outputs.append((packing.row(of: token - 1, sample: index), sample.labels[token], index))
      }
    }
    // What comes before the first picture and the first prediction is the same in every row of a job, mostly. A cache
    // for answers holds whole rows, and an adapter of all tokens acts on all of them.
    let isContinued = firstKey > 0 || room > 0
    let first =
      isContinued || adapter?.tokens == .all
      ? 0 : min(visual.first?.rows.lowerBound ?? 0, outputs.first?.row ?? 0, packing.prefix)
    func shifted(_ rows: Range<Int>) -> Range<Int> { rows.lowerBound - first..<rows.upperBound - first }
    let input = DecoderInput(
      embeddings: model.embed(
        Array(ids[first...]), visual: visual.map { shifted($0.rows) }, features: visual.map(\.features)),
      positions: positions.map { Array($0[first...]) }, visual: visual.map { shifted($0.rows) },
      features: visual.map(\.features),
      prefix: packing.prefix - first, branches: packing.branches.map(shifted), firstKey: firstKey, room: room,
      earlier: first > 0 ? textPrefix(Array(ids[..<first]), positions.map { Array($0[..<first]) }) : nil)
    return UnitInput(
      decoderInput: input,
      outputRows: outputs.map { $0.row - first }, targets: outputs.map(\.target), rowOfOutput: outputs.map(\.sample),
      rowCount: samples.count,
      lastRows: samples.enumerated().map { packing.row(of: $1.decisiveTokens - 1, sample: $0) - first },
      sequences: Array(input.runs.suffix(samples.count)))
  }

  private func textPrefix(_ ids: [Int32], _ positions: [[Int32]]) -> EarlierRows<Float> {
    textPrefixes.rows(ids, positions: positions) {
      model.decoder.earlierRows(model.embed(ids, visual: [], features: []), positions: positions)
    }
  }
}
