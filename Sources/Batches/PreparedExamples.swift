// The examples of files that can be used: found by making every sample once, or known from an earlier start.
import Collectives
import Datasets
import Files
import Preprocessing

/// Usable examples and how long each is. Their rows are held as text, and each is made when it is asked for.
package struct PreparedExamples: Sendable {
  /// The files that they came from, for messages.
  package let file: String
  /// The examples by file.
  package let parts: [DatasetPart]
  package let samples: SampleBuilder
  /// Whether an earlier start's preparation was read.
  package let isKnown: Bool
  /// Whether a later start finds what was found out in the folder.
  package let isKept: Bool
  private let preparation: Preparation
  private let table: RowTable

  /// How many there are.
  package var count: Int { preparation.rows.count }
  /// What each example is like for the decoder.
  package var shapes: [ExampleShape] { preparation.shapes }
  /// Group key of each example: equal where the lists of images are equal; see `imageKeys(of:)`.
  package var keys: [Int] { preparation.keys }
  /// Tokens of each example.
  package var tokens: [Int] { shapes.map(\.tokens) }
  /// Visual tokens of each example.
  package var visualTokens: [Int] { shapes.map(\.visual) }
  /// What was wrong with the examples left out, in the order of their lines.
  package var problems: [ExampleProblem] { preparation.remarks.problems }
  /// Digest of the usable examples.
  package var digest: String { preparation.remarks.digest }
  /// Digest of the bytes of their images, in the order of their first use.
  package var imagesDigest: String { preparation.remarks.imagesDigest }
  /// Keys of rows that were left out, and how often.
  package var ignoredKeys: [(key: String, count: Int)] {
    preparation.remarks.ignoredKeys.map { (key: $0.key, count: $0.count) }
  }

  /// What examples are for.
  package enum Purpose: Sendable {
    /// Their answers are learned or scored.
    case learning
    /// Their last answers are asked for; they need none of their own.
    case asking
  }

  /// Reads and checks files of examples. Every image whose features are not in the cache is decoded once, so that a
  /// damaged one is found before training; unless a folder has what an earlier start found out about the same examples.
  /// - Parameters:
  ///   - files: what is read; their reader must leave bad rows out.
  ///   - purpose: what their shapes are of: examples with their answers, or prompts.
  ///   - isStrict: whether a bad example is an error; otherwise it is left out.
  ///   - folder: where preparations are kept; nil: nowhere.
  ///   - makeSamples: makes what turns examples into samples; called on every rank.
  /// - Throws: `RankFailure`: `DatasetError` for a file without a usable example, and naming the bad ones if strict.
  /// - Important: Collective.
  package init(
    _ files: ExampleFiles, for purpose: Purpose = .learning, isStrict: Bool, features: FeatureStore,
    folder: PreparationFolder? = nil, communicator: any Communicator, makeSamples: () throws -> SampleBuilder
  ) throws {
    let (opened, samples) = try withErrorAgreement(communicator) {
      (try files.open(), try makeSamples())
    }
    let key = folder?.key(opened, purpose)
    if let known = try folder?.read(key, communicator) {
      (preparation, table, isKnown) = (known, opened.table, true)
      features.remember(known.images)
    } else {
      let checking = ExampleChecking(
        samples: samples, purpose: purpose, features: features, communicator: communicator, title: files.title)
      let found = try checking.prepare(opened)
      (preparation, table, isKnown) = (found.preparation, found.table, false)
      if let folder, let key {
        try withErrorAgreement(communicator) { if communicator.rank == 0 { try folder.write(found.preparation, key) } }
      }
    }
    isKept = key != nil
    guard preparation.remarks.problems.isEmpty || !isStrict else {
      throw RankFailure(
        shared: DatasetError.badExamples(file: files.title, problems: preparation.remarks.problems))
    }
    guard !preparation.rows.isEmpty else {
      throw RankFailure(shared: DatasetError.empty(file: files.title, problems: preparation.remarks.problems))
    }
    file = files.title
    parts = preparation.parts
    self.samples = samples
  }

  /// An example.
  /// - Throws: where its row is not what it was when the examples were prepared.
  package func example(_ index: Int) throws -> Example { try preparation.example(index, of: table) }

  /// Some examples.
  package func examples(_ indices: some Sequence<Int>) throws -> [Example] { try indices.map(example) }

  /// Examples by id for a message.
  package func names(_ indices: [Int]) -> String {
    guard let first = try? indices.first.map(example) else { return Datasets.names([]) }
    return indices.count == 1 ? Datasets.names([first]) : "example \(first.id) and \(indices.count - 1) more"
  }

  /// Ids of examples, one after the other.
  package func ids(_ indices: [Int]) throws -> String { try examples(indices).map(\.id).joined(separator: ", ") }

  /// The sample of an example, which is like what was found out about it.
  func sample(of example: Example, at index: Int) throws -> Sample {
    let sample = try samples.sample(for: example)
    guard ExampleShape(sample) == shapes[index] else {
      throw Preparation.changed("\(example.id) of \(file) has other tokens, or images of another size")
    }
    return sample
  }

  /// Lines about keys that were left out and images that are used nevertheless.
  package var remarks: [String] {
    let keys = ignoredKeys.map { "\(quoted($0.key)) (\($0.count))" }.joined(separator: ", ")
    return (keys.isEmpty ? [] : ["ignored    keys of \(file): \(keys)"])
      + preparation.remarks.notices.map { "note       \($0)" }
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
