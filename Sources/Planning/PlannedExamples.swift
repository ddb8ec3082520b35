// The examples that a plan is made for: lengths of the run's own data where they can be read, otherwise assumed ones.
import Batches
import Costs
import Datasets
import RunFile

/// Lengths of examples, and which of them are computed together.
struct PlannedExamples {
  /// Usable examples as far as they were read.
  let shapes: [ExampleShape]
  /// Examples of the whole files, nil where they could not be read.
  var count: Int? { wholeParts.map { $0.last?.examples.upperBound ?? 0 } }
  /// Examples that an epoch takes, nil where the files could not be read.
  var examplesPerEpoch: Int? { wholeParts.map { $0.reduce(0) { $0 + $1.examplesPerEpoch } } }
  /// Visual tokens of all different images among them, each counted once.
  let imageTokens: Double
  /// Where the lengths come from.
  let source: String
  /// Group key of each, where the run groups them by image.
  let groups: [Int]?
  /// Group key of each, whether or not the run groups them; nil for assumed examples.
  private let keys: [Int]?
  /// Those that were read, by file; the whole files.
  private let parts, wholeParts: [DatasetPart]?

  /// Examples that are all alike.
  init(assuming shape: ExampleShape, source: String) {
    shapes = [shape]
    (parts, wholeParts) = (nil, nil)
    imageTokens = Double(shape.visual)
    self.source = source
    (groups, keys) = (nil, nil)
  }

  /// Reads the run's training examples without its weights; only the headers of images are read.
  /// - Throws: the error of the first file that is missing or broken; `DatasetError.empty`.
  init(reading run: RunConfiguration) throws {
    let measured = try run.measuredExamples()
    shapes = measured.shapes
    (parts, wholeParts) = (measured.parts, measured.wholeParts)
    keys = measured.groups
    groups = run.data.groupByImage ? measured.groups : nil
    imageTokens = measured.imageTokens
    let read = measured.isPartial ? ", the first \(measured.shapes.count + measured.problems.count) read" : ""
    let bad = measured.problems.first.map { "; \(measured.problems.count) bad examples left out: \($0)" } ?? ""
    source = "\(measured.count) examples of \(measured.file)\(read)\(bad)"
  }

  /// The image groups of a probe of these examples.
  func probedGroups(_ heads: RunConfiguration.Heads) -> [ImageGroup] {
    Datasets.probedGroups(
      keys: keys ?? Array(shapes.indices), tokens: shapes.map(\.tokens), drawing: heads.probeRows, seed: heads.seed)
  }

  /// A mean over the examples.
  func mean(_ part: KeyPath<ExampleShape, Int>) -> Double {
    shapes.reduce(0) { $0 + Double($1[keyPath: part]) } / Double(shapes.count)
  }

  /// Steps of a run; nil where they depend on examples that could not be counted.
  func steps(_ training: RunConfiguration.Training) -> Int? {
    if let steps = training.steps { return steps }
    return count.map {
      Sampler(examples: $0, parts: wholeParts, globalBatch: training.globalBatch, seed: training.seed)
        .steps(epochs: training.epochs ?? 1)
    }
  }

  /// The image groups of some first steps, enough to see what a step is like.
  func sampledSteps(of run: RunConfiguration) -> [[ImageGroup]] {
    let batch = run.training.globalBatch
    guard count != nil else { return [(0..<batch).map { _ in ImageGroup(examples: [0]) }] }
    let sampler = Sampler(
      examples: shapes.count, groups: groups, parts: parts, globalBatch: batch, seed: run.training.seed)
    let sampled = CutGroups.sampledSteps(of: sampler.stepsPerEpoch, globalBatch: batch)
    let steps = min(self.steps(run.training) ?? sampled, sampled)
    return (0..<steps).map { sampler.imageGroups(step: $0, grouping: groups) }
  }

  /// The micro-batches of a step.
  func batches(of step: [ImageGroup], _ run: RunConfiguration) -> [BatchShape] {
    microBatches(of: step, examples: run.examplesPerPass) { shapes[$0].visual == 0 }.map { batch in
      BatchShape(joining: batch.map { group in BatchShape(group.examples.map { shapes[$0] }) })
    }
  }

  /// What steps do to image groups, where the run groups examples by image.
  func cutGroups(by steps: [[ImageGroup]], globalBatch: Int, ranks: Int) -> CutGroups? {
    guard count != nil, let groups else { return nil }
    return CutGroups(keys: groups, steps: steps, globalBatch: globalBatch, ranks: ranks)
  }
}
