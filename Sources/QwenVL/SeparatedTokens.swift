// Sequences that passed the decoder together, each again by itself: for the gradients of one sample's loss at a time.
import Layers
import Tensors

/// Some sequences of a pass, each with a copy of what it shares with others: the same activations, and gradients of its
/// own.
struct SeparatedTokens<Element: Scalar> {
  /// Rows among the pass's new tokens, and among its outputs.
  let rows, outputs: [Int]
  /// Of a layer's keys and values: those of the past, then the rows'.
  let keys: [Int]
  /// Which pieces of the pass those of `tokens` are copies of.
  let sources: [Int]
  /// The sequences' tokens, as layers see them.
  let tokens: PassTokens<Element>
  /// Which of their images are each sequence's.
  let images: [Range<Int>]

  /// - Parameters:
  ///   - leaves: the last piece of each sequence (`PassTokens.leaves`).
  ///   - outputPositions: of the pass, all of them in leaves.
  init(_ leaves: some Sequence<Int>, of pass: PassTokens<Element>, outputPositions: [Int]) {
    let known = pass.newKeys.first ?? 0
    var (rows, outputs, ownOutputs, sources): ([Int], [Int], [Int], [Int]) = ([], [], [], [])
    var (pieces, visual, images): ([Piece], [Range<Int>], [Range<Int>]) = ([], [], [])
    var spans: [(shared: [Range<Int>], own: Range<Int>, queries: Int)] = []
    for leaf in leaves {
      let first = rows.count
      let imagesBefore = visual.count
      for (depth, source) in pass.path(to: leaf).enumerated() {
        let start = depth == 0 ? pass.pieces[source].start : .piece(pieces.count - 1)
        let tokens = pass.pieces[source].tokens
        let shift = rows.count - tokens.lowerBound
        visual += pass.visual.filter { tokens.contains($0.lowerBound) }.map {
          $0.lowerBound + shift..<$0.upperBound + shift
        }
        for (output, position) in outputPositions.enumerated() where tokens.contains(position) {
          precondition(source == leaf, "every prediction is its sequence's own")
          outputs.append(output)
          ownOutputs.append(position + shift)
        }
        pieces.append(Piece(tokens: rows.count..<rows.count + tokens.count, start: start, key: known + rows.count))
        sources.append(source)
        rows += tokens
      }
      spans.append(([0..<known], known + first..<known + rows.count, rows.count - first))
      images.append(imagesBefore..<visual.count)
    }
    (self.rows, self.outputs, self.sources, self.images) = (rows, outputs, sources, images)
    keys = Array(0..<known) + rows.map { known + $0 }
    tokens = PassTokens(
      rotary: pass.rotary.gathering(rows), visual: visual, dropout: pass.dropout?.gathering(rows), past: pass.past,
      newKeys: Array(known..<known + rows.count), pieces: pieces, pattern: .causal(spans), outputPositions: ownOutputs)
  }

  /// The sequences of a pass, as indices of its leaves, in runs of equally many, of about `limit` rows at most.
  static func runs(of pass: PassTokens<Element>, rows limit: Int) -> [Range<Int>] {
    let counts = pass.leaves.map { pass.path(to: $0).reduce(0) { $0 + pass.pieces[$1].tokens.count } }
    let runs = (counts.reduce(0, +) + limit - 1) / limit
    let each = max(1, (counts.count + runs - 1) / runs)
    return stride(from: 0, to: counts.count, by: each).map { $0..<min($0 + each, counts.count) }
  }
}

/// The queries of one layer among separated tokens, and which of the pass's queries they are.
struct SeparatedQueries<Element: Scalar> {
  let rows: [Int]
  let queries: Queries<Element>
}

extension SeparatedTokens {
  func queries(inLastLayer isLast: Bool) -> SeparatedQueries<Element> {
    isLast
      ? SeparatedQueries(rows: outputs, queries: tokens.lastQueries)
      : SeparatedQueries(rows: rows, queries: tokens.queries)
  }
}

extension PassTokens {
  /// The last piece of each sequence: those that no other one continues.
  var leaves: [Int] {
    let continued = Set(
      pieces.compactMap { piece in
        if case .piece(let index) = piece.start { index } else { nil }
      })
    return pieces.indices.filter { !pieces[$0].tokens.isEmpty && !continued.contains($0) }
  }

  /// The pieces of a sequence, from its first one to `leaf`.
  func path(to leaf: Int) -> [Int] {
    guard case .piece(let index) = pieces[leaf].start else { return [leaf] }
    return path(to: index) + [leaf]
  }

  /// Which of `visual` are each piece's.
  var imagesOfPieces: [Range<Int>] {
    var first = 0
    return pieces.map { piece in
      let count = visual[first...].prefix { piece.tokens.contains($0.lowerBound) }.count
      defer { first += count }
      return first..<first + count
    }
  }
}

/// An adapter for each of several sequences: it has its own sequence's visual tokens.
final class SeparateAdapters<Element: Scalar>: ProjectionAdapter {
  private let adapters: [(images: Range<Int>, adapter: any ProjectionAdapter<Element>)]

  /// - Parameter adapters: and which images are the sequence's of each.
  init(_ adapters: [(images: Range<Int>, adapter: any ProjectionAdapter<Element>)]) {
    precondition(adapters.allSatisfy { $0.adapter.tokens == .visual && $0.adapter.tower == nil })
    self.adapters = adapters
  }

  var tokens: AdaptedTokens { .visual }
  var lowestLayer: Int? { adapters[0].adapter.lowestLayer }
  func adapts(_ layer: Int, _ projection: Projection) -> Bool { adapters[0].adapter.adapts(layer, projection) }

  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, rows: AdaptedRows
  ) {
    for (images, adapter) in adapters {
      adapter.forward(layer: layer, projection, input: input, output: output, rows: rows.spans(images))
    }
  }

  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    rows: AdaptedRows, dInput: Matrix<Element>?
  ) {
    for (images, adapter) in adapters {
      adapter.backward(
        layer: layer, projection, input: input, values: values, dOutput: dOutput, rows: rows.spans(images),
        dInput: dInput)
    }
  }
}

extension AdaptedRows {
  fileprivate func spans(_ range: Range<Int>) -> AdaptedRows {
    AdaptedRows(spans: Array(spans[range]), dropout: dropout)
  }
}

// MARK: - Activations of separated tokens

extension DecoderLayer.SavedActivations {
  /// Those of separated tokens.
  func gathering(
    _ separated: SeparatedTokens<Element>, _ queries: SeparatedQueries<Element>
  ) -> DecoderLayer<Element>.SavedActivations {
    DecoderLayer.SavedActivations(
      queries: queries.queries, x: x.gathering(separated.rows), mixer: mixer.gathering(separated, queries),
      h: h.gathering(queries.rows), mlp: mlp.gathering(queries.rows))
  }
}

extension TokenMixer.Activations {
  fileprivate func gathering(
    _ separated: SeparatedTokens<Element>, _ queries: SeparatedQueries<Element>
  ) -> TokenMixer<Element>.Activations {
    switch self {
    case .attention(let activations): .attention(activations.gathering(separated, queries))
    case .deltaNet(let activations): .deltaNet(activations.gathering(separated, queries))
    }
  }
}

extension AttentionMixer.Activations {
  fileprivate func gathering(
    _ separated: SeparatedTokens<Element>, _ queries: SeparatedQueries<Element>
  ) -> AttentionMixer<Element>.Activations {
    AttentionMixer.Activations(
      queries: queries.queries,
      inputs: inputs.gathering(queries: queries.rows, keys: separated.keys, pattern: queries.queries.pattern),
      unnormedQueries: unnormedQueries?.gathering(queries.rows),
      unnormedKeys: unnormedKeys?.gathering(separated.rows), gates: gates?.gathering(queries.rows),
      attended: attended.gathering(queries.rows), logSumExp: logSumExp.gathering(queries.rows))
  }
}

extension GatedDeltaNet.Activations {
  fileprivate func gathering(
    _ separated: SeparatedTokens<Element>, _ queries: SeparatedQueries<Element>
  ) -> GatedDeltaNet<Element>.Activations {
    GatedDeltaNet.Activations(
      pieces: separated.tokens.pieces, projected: projected.gathering(separated.rows),
      decays: decays.gathering(separated.rows), strengths: strengths.gathering(separated.rows),
      contexts: separated.sources.map { contexts[$0] }, read: read.gathering(queries.rows),
      gate: gate.gathering(queries.rows), states: separated.sources.map { states[$0] })
  }
}
