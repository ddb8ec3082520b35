// The rows that a plan is made for: lengths of the run's own data where they are at hand, otherwise assumed ones.
import Datasets
import Foundation
import HuggingFace
import Preprocessing
import RunFile

extension RunConfiguration {
  /// What makes the samples of the run's rows, from the small files of the model's folder.
  /// - Throws: the error of the first of them that is missing or broken.
  package func samplesWithoutWeights() throws -> SampleBuilder {
    let folder = model.path.resolved
    var settings = try PreprocessorConfiguration(folder: folder)
    settings.minPixels = model.minPixels ?? settings.minPixels
    settings.maxPixels = model.maxPixels ?? settings.maxPixels
    return try SampleBuilder(
      encoding: try Tokenizer(folder: folder), template: try ChatTemplate(folder: folder),
      processor: try ImageProcessor(settings),
      coordinates: try coordinates ?? Preprocessing.Coordinates(of: ModelConfiguration(folder: folder).family),
      maxLength: data.maxLength)
  }
}

/// Lengths of rows, and which of them are computed together.
struct PlannedRows {
  /// Rows of the file that are usable as far as they were read.
  let shapes: [RowShape]
  /// Rows of the whole file, nil where it could not be read.
  let count: Int?
  /// Visual tokens of all different pictures among them, each counted once.
  let pictureTokens: Double
  /// Where the lengths come from.
  let source: String
  private let groups: [Int]?

  /// Longest part of a file whose rows are tokenised.
  private static var maximumRows: Int { 5000 }
  /// About so many rows are dealt out to see how even the ranks' work is.
  private static var sampledRows: Int { 20_000 }

  /// Rows that are all alike.
  init(assuming shape: RowShape, source: String) {
    shapes = [shape]
    count = nil
    pictureTokens = Double(shape.visual)
    self.source = source
    groups = nil
  }

  /// Reads the run's training rows without its weights; only the headers of pictures are read.
  /// - Throws: the error of the first file that is missing or broken; `TrainingError.noRows`.
  init(reading run: RunConfiguration) throws {
    let samples = try run.samplesWithoutWeights()
    let file = run.data.train.resolved
    let dataset = try RowReader(imageRoot: run.data.imageRoot.resolved, policy: .skip).read(file)
    var usable: [(row: Row, shape: RowShape)] = []
    var problems = dataset.problems.map(\.description)
    for row in dataset.rows.prefix(Self.maximumRows) {
      do {
        usable.append((row, RowShape(try samples.sample(for: row))))
      } catch {
        problems.append("\(error)")
      }
    }
    guard !usable.isEmpty else { throw TrainingError.noRows(file: file) }
    shapes = usable.map(\.shape)
    count = dataset.rows.count
    let keys = imageGroups(of: usable.map(\.row))
    groups = run.data.groupByImage ? keys : nil
    var seen = Set<Int>()
    pictureTokens = zip(keys, shapes).reduce(0) { $0 + (seen.insert($1.0).inserted ? Double($1.1.visual) : 0) }
    let read = usable.count + problems.count < dataset.rows.count ? ", the first \(Self.maximumRows) read" : ""
    let bad = problems.first.map { "; \(problems.count) bad rows left out: \($0)" } ?? ""
    source = "\(dataset.rows.count) rows of \(file)\(read)\(bad)"
  }

  /// Steps of a run; nil where they depend on rows that could not be counted.
  func steps(_ training: RunConfiguration.Training) -> Int? {
    if let steps = training.steps { return steps }
    return count.map {
      Sampler(rows: $0, globalBatch: training.globalBatch, seed: training.seed).steps(epochs: training.epochs ?? 1)
    }
  }

  /// The units of some first steps, enough to see what a step is like.
  func steps(of run: RunConfiguration) -> [[UnitShape]] {
    let batch = run.training.globalBatch
    func shape(_ units: [Datasets.Unit]) -> [UnitShape] {
      microBatches(of: units, rows: run.rowsPerPass) { shapes[$0].visual == 0 }.map { batch in
        UnitShape(joining: batch.map { unit in UnitShape(unit.rows.map { shapes[$0] }) })
      }
    }
    guard count != nil else { return [shape((0..<batch).map { _ in Datasets.Unit(rows: [0]) })] }
    let sampler = Sampler(rows: shapes.count, groups: groups, globalBatch: batch, seed: run.training.seed)
    let epoch = Int(sampler.stepsPerEpoch.rounded(.up))
    let steps = min(self.steps(run.training) ?? epoch, epoch, max(1, Self.sampledRows / batch))
    return (0..<steps).map { shape(sampler.units(step: $0, grouping: groups)) }
  }
}

extension RowShape {
  init(_ sample: Sample) {
    tokens = sample.inputIDs.count
    visual = sample.visualSpans.reduce(0) { $0 + $1.count }
    first = sample.visualSpans.first?.lowerBound ?? tokens
    shared = sample.visualSpans.last?.upperBound ?? 0
    answers = sample.supervisedTokens
    pictures = sample.grids.map(\.patches)
  }

  /// A row with one picture behind a short system prompt.
  init(tokens: Int, visual: Int, answers: Int, merge: Int) {
    let first = min(16, tokens - visual - answers)
    self.init(
      tokens: tokens, visual: visual, first: visual > 0 ? first : tokens, shared: visual > 0 ? first + visual : 0,
      answers: answers, pictures: visual > 0 ? [visual * merge * merge] : [])
  }
}
