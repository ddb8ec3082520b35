// The examples of files that can be used, found by making every sample once, the work partitioned over the ranks.
import Collectives
import Datasets
import Digests
import Files
import Preprocessing

/// Usable examples and how long each is.
package struct PreparedExamples: Sendable {
  /// The files that they came from, for messages.
  package let file: String
  package let examples: [Example]
  /// The examples by file.
  package let parts: [DatasetPart]
  /// What each example is like for the decoder.
  package let shapes: [ExampleShape]
  /// Tokens of each example.
  package var tokens: [Int] { shapes.map(\.tokens) }
  /// Visual tokens of each example.
  package var visualTokens: [Int] { shapes.map(\.visual) }
  /// What was wrong with the examples left out, in the order of their lines.
  package let problems: [ExampleProblem]
  /// Digest of the usable examples.
  package let digest: String
  /// Digest of the bytes of their images, in the order of their first use.
  package let imagesDigest: String
  /// Keys of rows that were left out, and how often.
  package let ignoredKeys: [(key: String, count: Int)]
  /// What a user should know about images that are used nevertheless, a line each.
  package let notices: [String]
  package let samples: SampleBuilder

  /// What a rank found out about a row.
  private struct Finding: Codable {
    var made: [Made] = []
    /// Its images of boxes that are stored turned.
    var turned: [Int] = []
    var problem: ExampleProblem?
  }

  /// What one of a row's examples is like.
  fileprivate struct Made: Codable {
    /// The answer that it ends with; nil: it is the row's whole conversation.
    var lastMessage: Int?
    var shape: ExampleShape
  }

  /// What a rank found out about an image.
  private struct ImageFinding: Codable {
    var checked: FeatureStore.Checked?
    var problem: String?
  }

  /// What examples are for.
  package enum Purpose: Sendable {
    /// Their answers are learned or scored.
    case learning
    /// Their last answers are asked for; they need none of their own.
    case asking
  }

  /// Reads and checks files of examples. Every image whose features are not in the cache is decoded once, so that a
  /// damaged one is found before training.
  /// - Parameters:
  ///   - files: what is read; their reader must leave bad rows out.
  ///   - purpose: what their shapes are of: examples with their answers, or prompts.
  ///   - isStrict: whether a bad example is an error; otherwise it is left out.
  ///   - makeSamples: makes what turns examples into samples; called on every rank.
  /// - Throws: `RankFailure`: `DatasetError` for a file without a usable example, and naming the bad ones if strict.
  /// - Important: Collective.
  package init(
    _ files: ExampleFiles, for purpose: Purpose = .learning, isStrict: Bool, features: FeatureStore,
    communicator: any Communicator, makeSamples: () throws -> SampleBuilder
  ) throws {
    // Bad lines are kept until the samples are made, so that a strict run names all bad examples at once.
    let (dataset, samples) = try withErrorAgreement(communicator) {
      (try files.read(), try makeSamples())
    }
    let file = files.title
    // Before any work is partitioned: where ranks count other examples, it would not fit together.
    try requireSame(
      ([dataset.digest] + dataset.problems.map(\.description)).joined(separator: "\n"), what: "content of \(file)",
      communicator)
    var (images, damaged, findings) = try Self.check(dataset.examples, samples, purpose, features, communicator)
    Self.checkIDs(dataset.examples, &findings)
    let bad = findings.compactMap(\.problem)
    let problems = dataset.problems + bad
    guard problems.isEmpty || !isStrict else {
      throw RankFailure(shared: DatasetError.badExamples(file: file, problems: problems))
    }
    let good = findings.indices.filter { findings[$0].problem == nil }
    guard !good.isEmpty else { throw RankFailure(shared: DatasetError.empty(file: file, problems: problems)) }
    self.file = file
    self.samples = samples
    examples = good.flatMap { index in findings[index].made.map { $0.example(of: dataset.examples[index]) } }
    shapes = good.flatMap { findings[$0].made.map(\.shape) }
    var end = 0
    parts = dataset.parts.map { part in
      let start = end
      end += good.reduce(0) { part.examples.contains($1) ? $0 + findings[$1].made.count : $0 }
      return DatasetPart(name: part.name, examples: start..<end, weight: part.weight)
    }
    self.problems = problems
    ignoredKeys = dataset.ignoredKeys
    let turned = good.flatMap { index in findings[index].turned.map { dataset.examples[index].images[$0] } }
    notices = imageNotices(damaged: damaged, turned: turned, reading: samples.reading)
    // Rows that are all good and an example each are stated by the file's digest.
    let isWhole = bad.isEmpty && examples.count == dataset.examples.count
    let left = isWhole ? "" : examples.map(\.id).joined(separator: "\n")
    digest = SHA256.hex("\(dataset.digest)\n\(left)")
    var used: Set<ImageSource> = []
    imagesDigest = SHA256.hex(
      examples.flatMap(\.images).filter { used.insert($0).inserted }.map { images[$0] ?? "" }.joined(separator: "\n"))
  }

  /// The examples of earlier answers are named after their rows: makes rows bad whose examples have another row's id.
  private static func checkIDs(_ rows: [Example], _ findings: inout [Finding]) {
    let lines = Dictionary(rows.map { (ExactString($0.id), $0.line) }) { first, _ in first }
    for (index, row) in rows.enumerated() {
      for made in findings[index].made where made.lastMessage != nil {
        let id = made.example(of: row).id
        guard let line = lines[ExactString(id)] else { continue }
        findings[index].problem = ExampleProblem(
          line: row.line, id: row.id,
          reason: "the id \(id) of one of its answers is taken by line \(line); rename one of them")
      }
    }
  }

  /// Checks each image and makes each sample on one rank; every rank gets all findings.
  private static func check(
    _ examples: [Example], _ samples: SampleBuilder, _ purpose: Purpose, _ features: FeatureStore,
    _ communicator: any Communicator
  ) throws -> (digests: [ImageSource: String], damaged: [(image: ImageSource, damage: String)], findings: [Finding]) {
    var images: [ImageSource] = []
    var places: [ImageSource: Int] = [:]
    for source in examples.flatMap(\.images) where places[source] == nil {
      places[source] = images.count
      images.append(source)
    }
    func name(_ image: ImageSource) -> String {
      if case .inline = image.address { "reading an image inside an example" } else { "reading \(image.name)" }
    }
    let findings = try mapOverRanks(images.count, communicator, naming: { name(images[$0]) }) { index in
      do {
        return ImageFinding(checked: try features.check(images[index]))
      } catch { return ImageFinding(problem: "\(error)") }
    }
    let checked = places.compactMapValues { findings[$0].checked }
    features.remember(checked)
    let damaged = images.indices.compactMap { index in
      findings[index].checked?.damage.map { (image: images[index], damage: $0) }
    }
    let samplesFound = try mapOverRanks(
      examples.count, communicator, naming: { "checking \(names([examples[$0]]))" }
    ) { index in
      let row = examples[index]
      func problem(_ reason: String) -> Finding {
        Finding(problem: ExampleProblem(line: row.line, id: row.id, reason: reason))
      }
      if let fault = row.images.lazy.compactMap({ places[$0].flatMap { findings[$0].problem } }).first {
        return problem(fault)
      }
      do throws(SampleError) {
        let found = purpose == .asking ? [(row, try samples.prompt(for: row).sample)] : try samples.samples(of: row)
        return Finding(
          made: found.map { Made(lastMessage: $0.0.lastMessage, shape: ExampleShape($0.1)) },
          turned: found.first?.1.turned ?? [])
      } catch { return problem("\(error.reason)") }
    }
    return (checked.mapValues(\.digest), damaged, samplesFound)
  }

  /// Lines about keys that were left out and images that are used nevertheless.
  package var remarks: [String] {
    let keys = ignoredKeys.map { "\(quoted($0.key)) (\($0.count))" }.joined(separator: ", ")
    return (keys.isEmpty ? [] : ["ignored    keys of \(file): \(keys)"]) + notices.map { "note       \($0)" }
  }

  /// Image groups that are computed together, as the decoder sees them.
  package func shape(_ groups: [ImageGroup]) -> BatchShape {
    BatchShape(joining: groups.map { group in BatchShape(group.examples.map { shapes[$0] }) })
  }

  /// Tokens of an image group that pass the decoder; those of its images count once.
  package func tokens(of group: ImageGroup) -> Int {
    let all: Int = group.examples.reduce(0) { $0 + shapes[$1].tokens }
    let visual = group.examples.map { shapes[$0].visual }
    return all - visual.reduce(0, +) + (visual.max() ?? 0)
  }
}

extension PreparedExamples.Made {
  fileprivate func example(of row: Example) -> Example { lastMessage.map(row.branch(endingWith:)) ?? row }
}
