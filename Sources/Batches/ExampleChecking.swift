// Each image decoded and each sample made once, the work partitioned over the ranks.
import Collectives
import Datasets
import Digests
import Files
import Preprocessing

/// Finds out which rows can be used, and what their examples are like.
struct ExampleChecking {
  let samples: SampleBuilder
  let purpose: PreparedExamples.Purpose
  let features: FeatureStore
  let communicator: any Communicator
  /// The files for messages.
  let title: String

  /// What a rank found out about a row.
  private struct Finding: Codable {
    var made: [Made] = []
    /// Its images of boxes that are stored turned.
    var turned: [Int] = []
    var problem: ExampleProblem?
  }

  /// What one of a row's examples is like.
  private struct Made: Codable {
    /// The answer that it ends with; nil: it is the row's whole conversation.
    var lastMessage: Int?
    var shape: ExampleShape

    func example(of row: Example) -> Example { lastMessage.map(row.branch(endingWith:)) ?? row }
  }

  /// What a rank found out about an image.
  private struct ImageFinding: Codable {
    var checked: FeatureStore.Checked?
    var problem: String?
    /// Of an image's own file, before it was read.
    var state: FileState?
  }

  /// All different images of the rows, in the order of their first use, and what was found out about each.
  private struct Images {
    var sources: [ImageSource] = []
    var places: [ImageSource: Int] = [:]
    var findings: [ImageFinding] = []

    func finding(_ source: ImageSource) -> ImageFinding? { places[source].map { findings[$0] } }
  }

  /// - Returns: what was found out, also where no example can be used, and the rows.
  /// - Important: Collective.
  func prepare(_ files: OpenedFiles) throws -> (preparation: Preparation, table: RowTable) {
    // Bad lines are kept until the samples are made, so that a strict run names all bad examples at once.
    let dataset = try withErrorAgreement(communicator) { try files.read() }
    // Before any work is partitioned: where ranks count other examples, it would not fit together.
    try requireSame(
      ([dataset.digest] + dataset.problems.map(\.description)).joined(separator: "\n"), what: "content of \(title)",
      communicator)
    let images = try check(imagesOf: dataset.examples)
    var findings = try check(dataset.examples, images)
    Self.checkIDs(dataset.examples, &findings)
    return (preparation(dataset, images, findings), dataset.table)
  }

  private func preparation(_ dataset: Dataset, _ images: Images, _ findings: [Finding]) -> Preparation {
    let good = findings.indices.filter { findings[$0].problem == nil }
    let made = good.flatMap { row in findings[row].made.map { (row: row, made: $0) } }
    let examples = made.map { $0.made.example(of: dataset.examples[$0.row]) }
    // Rows that are all good and an example each are stated by the files' digest.
    let isWhole = good.count == findings.count && examples.count == dataset.examples.count
    let left = isWhole ? "" : examples.map(\.id).joined(separator: "\n")
    var used: Set<ImageSource> = []
    let digests = examples.flatMap(\.images).filter { used.insert($0).inserted }.map {
      images.finding($0)?.checked?.digest ?? ""
    }
    let damaged = images.sources.indices.compactMap { index in
      images.findings[index].checked?.damage.map { (image: images.sources[index], damage: $0) }
    }
    let turned = good.flatMap { row in findings[row].turned.map { dataset.examples[row].images[$0] } }
    let remarks = Preparation.Remarks(
      digest: SHA256.hex("\(dataset.digest)\n\(left)"), imagesDigest: SHA256.hex(digests.joined(separator: "\n")),
      problems: dataset.problems + findings.compactMap(\.problem),
      ignoredKeys: dataset.ignoredKeys.map { .init(key: $0.key, count: $0.count) },
      notices: imageNotices(damaged: damaged, turned: turned, reading: samples.reading),
      parts: dataset.parts.map { part in
        let count = good.reduce(0) { part.examples.contains($1) ? $0 + findings[$1].made.count : $0 }
        return .init(name: part.name, count: count, weight: part.weight)
      })
    return Preparation(
      rows: made.map { dataset.rows[$0.row] }, lastMessages: made.map(\.made.lastMessage),
      shapes: made.map(\.made.shape), keys: imageKeys(of: examples),
      images: zip(images.sources, images.findings).compactMap { source, finding in
        guard case .file(let path) = source.address, let state = finding.state else { return nil }
        return Preparation.LooseImage(path: path.text, state: state, digest: finding.checked?.digest)
      }, remarks: remarks)
  }

  /// The examples of earlier answers are named after their rows: makes rows bad whose examples have another row's id.
  private static func checkIDs(_ rows: [Example], _ findings: inout [Finding]) {
    guard findings.contains(where: { $0.made.contains { $0.lastMessage != nil } }) else { return }
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

  private func check(imagesOf examples: [Example]) throws -> Images {
    var images = Images()
    for source in examples.flatMap(\.images) where images.places[source] == nil {
      images.places[source] = images.sources.count
      images.sources.append(source)
    }
    func name(_ image: ImageSource) -> String {
      if case .inline = image.address { "reading an image inside an example" } else { "reading \(image.name)" }
    }
    let sources = images.sources
    images.findings = try mapOverRanks(sources.count, communicator, naming: { name(sources[$0]) }) { index in
      var finding = ImageFinding()
      if case .file(let path) = sources[index].address { finding.state = FileState(ofFile: path.text) }
      do { finding.checked = try features.check(sources[index]) } catch { finding.problem = "\(error)" }
      return finding
    }
    features.remember(
      Dictionary(
        uniqueKeysWithValues: zip(sources, images.findings).compactMap { source, finding in
          finding.checked.map { (source, $0) }
        }))
    return images
  }

  private func check(_ rows: [Example], _ images: Images) throws -> [Finding] {
    try mapOverRanks(rows.count, communicator, naming: { "checking \(names([rows[$0]]))" }) { index in
      let row = rows[index]
      func problem(_ reason: String) -> Finding {
        Finding(problem: ExampleProblem(line: row.line, id: row.id, reason: reason))
      }
      if let fault = row.images.lazy.compactMap({ images.finding($0)?.problem }).first { return problem(fault) }
      do throws(SampleError) {
        let found = purpose == .asking ? [(row, try samples.prompt(for: row).sample)] : try samples.samples(of: row)
        return Finding(
          made: found.map { Made(lastMessage: $0.0.lastMessage, shape: ExampleShape($0.1)) },
          turned: found.first?.1.turned ?? [])
      } catch { return problem("\(error.reason)") }
    }
  }
}
