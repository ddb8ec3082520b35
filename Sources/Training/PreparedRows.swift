// The rows of a file that can be used, found by making every sample once, the work dealt over the ranks.
import Collectives
import Datasets
import Digests
import Foundation
import Preprocessing
import RunFile
import Units

/// Usable rows and how long each is.
public struct PreparedRows: Sendable {
  public let file: String
  public let rows: [Row]
  /// What each row is like for the decoder.
  let shapes: [RowShape]
  /// Tokens of each row.
  public var tokens: [Int] { shapes.map(\.tokens) }
  /// Visual tokens of each row.
  public var visualTokens: [Int] { shapes.map(\.visual) }
  /// What was wrong with the rows left out, one line each.
  public let problems: [String]
  /// Digest of the usable rows.
  public let digest: String
  public let samples: SampleBuilder

  /// What a rank found out about a row.
  private struct Finding: Codable {
    var shape: RowShape?
    var problem: String?
  }

  /// What a rank found out about a picture.
  private struct PictureFinding: Codable {
    var checked: FeatureStore.Checked?
    var problem: String?
  }

  /// Reads and checks a file of rows; every picture whose features are not in the cache is decoded once, so that a
  /// damaged one is found before training.
  /// - Throws: `DatasetError`, or `TrainingError` naming the bad rows if the run is strict.
  /// - Important: Collective.
  public init(_ file: String, run: RunConfiguration, base: BaseModel, communicator: any Communicator) throws {
    // Bad lines are kept until the samples are made, so that a strict run names all bad rows at once.
    let (dataset, samples) = try together(communicator) {
      (
        try RowReader(imageRoot: run.data.imageRoot.resolved, policy: .skip).read(file),
        try base.sampleBuilder(for: run)
      )
    }
    // Before any work is dealt: where ranks count other rows, it would not fit together.
    try agree(
      on: ([dataset.digest] + dataset.problems.map(\.description)).joined(separator: "\n"), what: "content of \(file)",
      communicator)
    let findings = try Self.check(dataset.rows, samples, base.featureStore, communicator)
    let bad = findings.compactMap(\.problem)
    let problems = dataset.problems.map(\.description) + bad
    guard problems.isEmpty || run.data.badRows == .skip else {
      throw TrainingError.badRows(file: file, problems: problems)
    }
    let good = findings.indices.filter { findings[$0].problem == nil }
    guard !good.isEmpty else { throw TrainingError.noRows(file: file) }
    self.file = file
    self.samples = samples
    rows = good.map { dataset.rows[$0] }
    shapes = good.compactMap { findings[$0].shape }
    self.problems = problems
    let left = bad.isEmpty ? "" : rows.map(\.id).joined(separator: "\n")
    digest = SHA256.hex("\(dataset.digest)\n\(left)")
  }

  /// Checks each picture and makes each sample on one rank; every rank gets all findings.
  private static func check(
    _ rows: [Row], _ samples: SampleBuilder, _ features: FeatureStore, _ communicator: any Communicator
  ) throws -> [Finding] {
    func inTurn(_ count: Int) -> [[Int]] {
      (0..<communicator.size).map { Array(stride(from: $0, to: count, by: communicator.size)) }
    }
    var pictures: [ImageSource] = []
    var places: [ImageSource: Int] = [:]
    for source in rows.flatMap(\.images) where places[source] == nil {
      places[source] = pictures.count
      pictures.append(source)
    }
    func name(_ picture: ImageSource) -> String {
      if case .file(let path) = picture { "reading \(path)" } else { "reading a picture inside a row" }
    }
    let findings = try mapOverRanks(inTurn(pictures.count), communicator, naming: { name(pictures[$0]) }) { index in
      do {
        return PictureFinding(checked: try features.check(pictures[index]))
      } catch { return PictureFinding(problem: "\(error)") }
    }
    features.remember(places.compactMapValues { findings[$0].checked })
    return try mapOverRanks(inTurn(rows.count), communicator, naming: { "checking \(names([rows[$0]]))" }) { index in
      let row = rows[index]
      if let fault = row.images.lazy.compactMap({ places[$0].flatMap { findings[$0].problem } }).first {
        return Finding(problem: "row \(row.id) (line \(row.line)): \(fault)")
      }
      do {
        return Finding(shape: RowShape(try samples.sample(for: row)))
      } catch { return Finding(problem: "\(error)") }
    }
  }

  /// Units that are computed together, as the decoder sees them.
  func shape(_ units: [Datasets.Unit]) -> UnitShape {
    UnitShape(joining: units.map { unit in UnitShape(unit.rows.map { shapes[$0] }) })
  }

  /// Tokens of a unit that pass the decoder; those of its pictures count once.
  public func tokens(of unit: Datasets.Unit) -> Int {
    let all: Int = unit.rows.reduce(0) { $0 + shapes[$1].tokens }
    let sharedPictures: Int = (unit.rows.count - 1) * shapes[unit.rows[0]].visual
    return all - sharedPictures
  }
}
