// What was found out about examples, kept for a later start: the same examples, and nothing that has changed since.
import Collectives
import Datasets
import Digests
import Files
import Foundation
import Preprocessing
import Synchronization
import TestSupport
import Testing
import TinyModels

@testable import Batches

@Suite("Prepared examples on disk")
struct PreparationTests {
  private let folder: TemporaryFolder
  private let base: BaseModel

  init() throws {
    folder = try TemporaryFolder()
    base = try BaseModel(folder: ParityFixture.path("qwen3-vl") + "/model")
    for name in ["0.png", "1.jpg"] {
      try FileManager.default.copyItem(
        atPath: "\(ParityFixture.path("qwen3-vl"))/images/\(name)", toPath: folder.path(name))
    }
    try write(rows: ["0.png", "1.jpg", "0.png"])
  }

  private func write(rows images: [String], more: String = "") throws {
    let lines = images.enumerated().map { index, image in
      #"{"id": "\#(index)", "images": ["\#(image)"], "note_\#(index)": 1, "_x": 2, "messages": ["#
        + #"{"role": "user", "content": "<image>what\#(index)?"}, {"role": "assistant", "content": "A"}]}"#
    }
    try folder.write("rows.jsonl", Array((lines.joined(separator: "\n") + more).utf8))
  }

  private func prepare(
    _ file: String = "rows.jsonl", settings: String = "s", isStrict: Bool = false,
    communicator: any Communicator = SingleProcess()
  ) throws -> PreparedExamples {
    let reader = ExampleReader(
      imageRoot: folder.path, policy: .skip, ignoredKeys: (0..<9).map { "note_\($0)" })
    return try PreparedExamples(
      ExampleFiles(folder.path(file), reader: reader), isStrict: isStrict, features: base.featureStore,
      folder: PreparationFolder(path: folder.path("kept"), settings: settings) { Issue.record("\($0)") },
      communicator: communicator
    ) { try base.sampleBuilder(maxLength: 4096) }
  }

  private var kept: [String] {
    (try? FileManager.default.contentsOfDirectory(atPath: folder.path("kept"))) ?? []
  }

  /// All that users of prepared examples see.
  private func content(_ data: PreparedExamples) throws -> [String] {
    [
      "\(try data.examples(0..<data.count))", "\(data.shapes)", "\(data.keys)", "\(data.parts)", "\(data.problems)",
      data.digest, data.imagesDigest, "\(data.ignoredKeys)", "\(data.remarks)",
    ]
  }

  @Test("A later start reads what the first one found out", arguments: [1, 2, 3])
  func again(ranks: Int) throws {
    try write(rows: ["0.png", "1.jpg", "0.png"], more: "\n{\"id\": \"bad\"}\n")
    let first = try prepare()
    let found = runOnRanks(ranks) { communicator in
      let later = try prepare(communicator: communicator)
      return (later.isKnown, try content(later))
    }
    #expect(!first.isKnown && first.problems.count == 1 && kept.count == 1)
    for result in found {
      let (isKnown, later) = try result.get()
      #expect(try isKnown && later == content(first))
    }
    let error = #expect(throws: RankFailure.self) { try prepare(isStrict: true) }
    #expect(error?.message.contains("bad_rows: skip") == true)
  }

  @Test("An example is made of its row when it is asked for")
  func one() throws {
    let data = try prepare()
    let example = try data.example(2)
    #expect(example.id == "2" && example.line == 3 && data.names([2, 0]) == "example 2 and 1 more")
    #expect(throws: ExampleProblem.self) {
      try ExampleFiles(folder.path("rows.jsonl"), reader: ExampleReader(policy: .skip)).open().table
        .example(RowPlace(start: 1 << 40, count: 5, line: 1, number: 1))
    }
  }

  @Test("Nothing is read of other rows, other settings, or images that were written to")
  func changed() throws {
    func isKnown(_ settings: String = "s") throws -> Bool { try prepare(settings: settings).isKnown }
    #expect(try !isKnown() && isKnown())
    #expect(try !isKnown("other") && isKnown("other"))
    try write(rows: ["0.png", "1.jpg", "1.jpg"])
    #expect(try !isKnown() && isKnown())
    // The same bytes, written again.
    try folder.write("1.jpg", Array(try readFile(folder.path("1.jpg"), maximumBytes: 1 << 20)))
    #expect(try !isKnown() && isKnown())
    try FileManager.default.removeItem(atPath: folder.path("1.jpg"))
    #expect(try !isKnown())
    // An image that was missing counts where it comes.
    try FileManager.default.copyItem(atPath: folder.path("0.png"), toPath: folder.path("1.jpg"))
    #expect(try !isKnown() && isKnown() && prepare().problems.isEmpty)
  }

  @Test("An image with other bytes of the same size and time is refused where it is used")
  func sameTime() throws {
    _ = try prepare()
    let path = folder.path("0.png")
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    var bytes = Array(try readFile(path, maximumBytes: 1 << 20))
    bytes[bytes.count - 1] ^= 1
    try folder.write("0.png", bytes)
    try FileManager.default.setAttributes([.modificationDate: attributes[.modificationDate] as Any], ofItemAtPath: path)
    // The time may have more digits than can be set: then the examples are prepared again.
    let store = try BaseModel(folder: base.folder).featureStore
    let sample = try base.sampleBuilder(maxLength: 4096).sample(for: prepare().example(0))
    store.remember([
      Preparation.LooseImage(path: path, state: FileState(ofFile: path), digest: String(repeating: "a", count: 64))
    ])
    let error = #expect(throws: SampleError.self) {
      try store.features(of: Example(id: "0", line: 1, images: [.file(path)], messages: []), sample: sample)
    }
    #expect("\(try #require(error))".contains("changed"))
  }

  @Test("Ranks that see different files prepare together")
  func onOneRank() throws {
    _ = try prepare()
    let other = try TemporaryFolder()
    let found = runOnRanks(2) { communicator in
      let path = communicator.rank == 0 ? folder.path("kept") : other.path("kept")
      let reader = ExampleReader(imageRoot: folder.path, policy: .skip, ignoredKeys: (0..<9).map { "note_\($0)" })
      return try PreparedExamples(
        ExampleFiles(folder.path("rows.jsonl"), reader: reader), isStrict: true, features: base.featureStore,
        folder: PreparationFolder(path: path, settings: "s") { _ in }, communicator: communicator
      ) { try base.sampleBuilder(maxLength: 4096) }.isKnown
    }
    #expect(try found.map { try $0.get() } == [false, false])
  }

  @Test("Any flipped bit, and any other file of the name, counts as nothing kept")
  func flips() throws {
    let first = try content(prepare())
    let path = folder.path("kept/\(try #require(kept.first))")
    let bytes = Array(try readFile(path, maximumBytes: 1 << 24))
    let key = try #require(PreparationFolder(path: "", settings: "s") { _ in }.key(opened, .learning))
    for place in stride(from: 0, to: bytes.count, by: max(1, bytes.count / 400)) {
      var flipped = bytes
      flipped[place] ^= 1 << (place % 8)
      try flipped.withUnsafeBytes { try Data($0).write(to: URL(fileURLWithPath: path)) }
      #expect(PreparationFile.read(path, key: key) == nil, "byte \(place)")
    }
    for other in [[], Array(bytes.prefix(bytes.count / 2)), Array("{}".utf8)] {
      try Data(other).write(to: URL(fileURLWithPath: path))
      #expect(PreparationFile.read(path, key: key) == nil)
    }
    #expect(try content(prepare()) == first, "it is written again")
    #expect(PreparationFile.read(path, key: key) != nil)
    #expect(PreparationFile.read(path, key: SHA256.hex("another")) == nil)
  }

  private var opened: OpenedFiles {
    get throws {
      try ExampleFiles(
        folder.path("rows.jsonl"),
        reader: ExampleReader(imageRoot: folder.path, policy: .skip, ignoredKeys: (0..<9).map { "note_\($0)" })
      ).open()
    }
  }

  @Test("A folder that cannot be written to is said once and stops nothing")
  func unwritable() throws {
    try folder.write("kept", [1])
    let said = Mutex<[String]>([])
    let data = try PreparedExamples(
      ExampleFiles(
        folder.path("rows.jsonl"), reader: ExampleReader(imageRoot: folder.path, policy: .skip, ignoredKeys: ["note_0"])
      ),
      isStrict: false, features: base.featureStore,
      folder: PreparationFolder(path: folder.path("kept"), settings: "s") { line in said.withLock { $0.append(line) } },
      communicator: SingleProcess()
    ) { try base.sampleBuilder(maxLength: 4096) }
    #expect(!data.isKnown && said.withLock { $0.count } == 1)
  }
}
