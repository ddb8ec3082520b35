// What a run will need, before it: parameters, memory, operations, bytes reduced, time; no weights are read.
import Adapters
import Foundation
import HuggingFace
import RunFile
import Tensors

/// A run on a number of ranks, in numbers and in lines for people.
package struct Plan {
  /// How many processes, and where.
  package struct Ranks: Sendable, Equatable {
    package var nodes, perNode: Int
    package var count: Int { nodes * perNode }
    package init(nodes: Int, perNode: Int) { (self.nodes, self.perNode) = (nodes, perNode) }
  }

  /// A row to plan for where the run's data are not to be read, or not there.
  package struct AssumedRow: Sendable, Equatable {
    package var tokens, visualTokens, answerTokens: Int
    package init(tokens: Int, visualTokens: Int, answerTokens: Int) {
      (self.tokens, self.visualTokens, self.answerTokens) = (tokens, visualTokens, answerTokens)
    }
    /// A picture of 600,000 pixels, a question and a short answer.
    package static let usual = AssumedRow(tokens: 1024, visualTokens: 768, answerTokens: 32)
  }

  let run: RunConfiguration
  let configuration: ModelConfiguration
  let ranks: Ranks
  let counts: ParameterCounts
  let weights: PlannedWeights
  /// The adapter: where its heads are not known yet the worst and the best.
  let adapter: (worst: PlannedAdapter, best: PlannedAdapter?)
  let rows: PlannedRows
  let steps: Int?
  let work: StepWork
  /// A rank's at its largest unit.
  let memory: RankMemory
  let largestUnit: UnitShape

  /// - Parameter assumed: a row to plan for instead of the run's data.
  /// - Throws: `HuggingFaceError`, or what in the run `train` would refuse too.
  package init(_ run: RunConfiguration, ranks: Ranks, assumed: AssumedRow? = nil) throws {
    guard run.training.globalBatch >= ranks.count else {
      throw TrainingError.smallBatch(batch: run.training.globalBatch, ranks: ranks.count)
    }
    self.run = run
    self.ranks = ranks
    let configuration = try ModelConfiguration(folder: run.model.path.resolved)
    self.configuration = configuration
    counts = ParameterCounts(configuration)
    weights = try PlannedWeights(folder: run.model.path.resolved, counts: counts)
    let adapter = try Self.adapter(run, configuration.text)
    self.adapter = adapter
    rows = try Self.rows(run, assumed: assumed, configuration)
    steps = rows.steps(run.training)
    let sampled = rows.steps(of: run)
    work = StepWork(
      sampled, ranks: ranks.count, adapter: adapter.worst, rank: run.adapter.rank, configuration)
    let pictureTokens = rows.pictureTokens
    let needs = sampled.joined().lazy.map { unit in
      let memory = RankMemory(
        unit, adapter: adapter.worst, pictureTokens: pictureTokens, featureMiB: run.model.featureMemoryMiB,
        activationBytes: run.activationBytes, configuration)
      return (unit: unit, memory: memory)
    }
    guard let largest = needs.max(by: { $0.memory.total < $1.memory.total }) else {
      throw TrainingError.noRows(file: run.data.train.resolved)
    }
    (largestUnit, memory) = largest
  }

  private static func adapter(
    _ run: RunConfiguration, _ text: TextConfiguration
  ) throws -> (worst: PlannedAdapter, best: PlannedAdapter?) {
    let rank = run.adapter.rank
    switch run.adapter.kind {
    case .lora: return (.lora(run.adapter.projections, rank: rank), nil)
    case .imageLoRA:
      let budgets = try LayerBudgets.planned(run.adapter.heads, text)
      return (.imageLoRA(budgets.worst, rank: rank), budgets.best.map { .imageLoRA($0, rank: rank) })
    }
  }

  /// The run's own rows; where they cannot be read, the usual one, and why.
  private static func rows(
    _ run: RunConfiguration, assumed: AssumedRow?, _ configuration: ModelConfiguration
  ) throws -> PlannedRows {
    func all(_ row: AssumedRow, _ why: String) -> PlannedRows {
      let shape = RowShape(
        tokens: row.tokens, visual: row.visualTokens, answers: row.answerTokens,
        merge: configuration.vision.spatialMergeSize)
      return PlannedRows(assuming: shape, source: why)
    }
    if let assumed { return all(assumed, "as stated, not read from data") }
    do {
      return try PlannedRows(reading: run)
    } catch {
      return all(.usual, "assumed, since the data cannot be read: \(error)")
    }
  }

  /// Weights a node holds once, and all its ranks.
  var nodeBytes: Double { weights.bytes + Double(ranks.perNode) * memory.total }

  /// Measures products of this model's shape on this machine, on the run's threads, in 10^9 operations a second.
  package func measuredRate() -> Double {
    setGEMMThreads(run.model.threads)
    let text = configuration.text
    return ProductRate.measure(
      rows: min(largestUnit.tokens, 2048), outputs: text.intermediateSize, columns: text.hiddenSize,
      type: weights.type, arithmetic: arithmetic)
  }

  /// As a run on processors like this one would choose.
  var arithmetic: Arithmetic {
    switch run.model.precision {
    case .fp32: .float32
    case .bf16: .bfloat16
    case nil: Arithmetic.automatic(stored: weights.type)
    }
  }
}

/// The weights of a folder as far as a plan needs them.
struct PlannedWeights: Equatable {
  let bytes: Double
  let type: ElementType
  /// What the checkpoint's headers say, or why they say nothing.
  let source: String

  /// Reads headers only; where files are missing, two bytes a number are assumed.
  /// - Throws: `HuggingFaceError` for a damaged file.
  init(folder: String, counts: ParameterCounts) throws {
    do {
      let checkpoint = try Checkpoint(folder: folder)
      bytes = Double(checkpoint.byteCount)
      let types = checkpoint.elementTypes
      type = types.count == 1 ? ElementType(rawValue: types[0]) ?? .bfloat16 : .bfloat16
      source = types.joined(separator: ", ")
    } catch HuggingFaceError.unreadable {
      bytes = 2 * Double(counts.total)
      type = .bfloat16
      source = "assumed BF16: the folder has no complete weights yet"
    }
  }
}
