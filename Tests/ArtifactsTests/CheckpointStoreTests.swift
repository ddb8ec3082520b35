// What a folder of checkpoints keeps: only valid files count, nothing is written over, nothing needed is deleted.
import Adapters
import Digests
import Files
import Foundation
import HDF5
import HuggingFace
import QwenVL
import TestSupport
import Testing
import TinyModels

@testable import Artifacts

@Suite("Checkpoints that stay")
struct CheckpointStoreTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func state(step: Int, best: Int? = nil, isDue: Bool = false) -> TrainingState {
    let configuration = AdapterConfiguration.imageLoRA(
      ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: [0: [0]]))
    let adapter: any Adapter<Float> = configuration.adapter(.tiny, nil)
    adapter.load((0..<adapter.layout.count).map { Float($0 + step) })
    var state = TrainingState(
      startOf: RunIdentity(
        digest: "run", yaml: "", seed: 1, worldSize: 1, provenance: AdapterProvenance(baseDigest: "base")),
      adapter: adapter, selection: nil)
    state.optimizer.step = step
    state.best = best.map { .init(step: $0, loss: 1) }
    state.validationDue = isDue
    return state
  }

  private func store(keep: Int, from step: Int? = nil) throws -> CheckpointStore {
    let store = CheckpointStore(directory: folder.path, keep: keep)
    _ = try store.begin(
      resumedFrom: step.map { folder.path(CheckpointName(step: $0).text) }, step: step ?? 0, best: nil)
    return store
  }

  private var steps: [Int] { get throws { try CheckpointFolder(folder.path).names().map(\.step) } }

  /// Changes a byte in the middle of a checkpoint.
  private func damage(_ step: Int) throws {
    let file = URL(filePath: folder.path(CheckpointName(step: step).text))
    var bytes = try Data(contentsOf: file)
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: file)
  }

  @Test("damaged newer files do not count: what is saved after a resume stays, and so does what it came from")
  func damagedNewer() throws {
    let first = try store(keep: 4)
    for step in [30, 50, 55, 60] { try first.save(state(step: step)) }
    for step in [50, 55, 60] { try damage(step) }
    #expect(try CheckpointFolder(folder.path).newest().name == CheckpointName(step: 30))
    let second = CheckpointStore(directory: folder.path, keep: 3)
    let notes = try second.begin(resumedFrom: folder.path("step-00000030.h5"), step: 30, best: nil)
    #expect(notes.count == 3 && notes.allSatisfy { $0.contains("aside-step-000000") && $0.contains("damaged") })
    for step in [35, 40, 45] { try second.save(state(step: step)) }
    #expect(try steps == [45, 40, 35, 30])
    #expect(try CheckpointFolder(folder.path).newest().name == CheckpointName(step: 45))
    try second.save(state(step: 50))
    #expect(try steps == [50, 45, 40, 30], "the one it was resumed from stays")
    for name in try steps { try CheckpointFolder.verify(folder.path(CheckpointName(step: name).text)) }
    #expect(FileManager.default.fileExists(atPath: folder.path("aside-step-00000050.h5")))
  }

  @Test("a folder that is missing has no checkpoints; one that cannot be listed is an error and not an empty one")
  func unlistable() throws {
    #expect(try CheckpointFolder(folder.path("none")).names().isEmpty)
    try Data("a file".utf8).write(to: URL(fileURLWithPath: folder.path("file")))
    let error = #expect(throws: FileError.self) { try CheckpointFolder(folder.path("file")).names() }
    #expect(error?.description.contains("/file: cannot be listed: ") == true)
  }

  @Test("a written file that is not what it should be gets no name, and the earlier ones stay")
  func checked() throws {
    struct Otherwise: Error {}
    let store = try store(keep: 9)
    try store.save(state(step: 10))
    #expect(throws: Otherwise.self) {
      try store.save(state(step: 20)) { file in if try file.step() == 20 { throw Otherwise() } }
    }
    #expect(try steps == [10])
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.hasSuffix(".partial") })
    try store.save(state(step: 20)) { file in if try file.step() != 20 { throw Otherwise() } }
    #expect(try steps == [20, 10])
  }

  @Test("resuming an older checkpoint by name sets valid newer ones aside, and the links follow")
  func olderByName() throws {
    let first = try store(keep: 9)
    for step in [10, 20, 30] { try first.save(state(step: step, best: 20)) }
    let second = CheckpointStore(directory: folder.path, keep: 2)
    let notes = try second.begin(resumedFrom: folder.path("step-00000010.h5"), step: 10, best: nil)
    #expect(try notes.count == 2 && steps == [10])
    func target(_ link: String) -> String? {
      try? FileManager.default.destinationOfSymbolicLink(atPath: folder.path(link))
    }
    #expect(target("latest.h5") == "step-00000010.h5" && target("best.h5") == nil)
    try second.save(state(step: 15, best: 15))
    #expect(target("latest.h5") == "step-00000015.h5" && target("best.h5") == "step-00000015.h5")
  }

  @Test("a step whose validation was made up for has two names, and keep 1 never leaves none")
  func keepOne() throws {
    let first = try store(keep: 1)
    try first.save(state(step: 5, isDue: true))
    #expect(folder.names.contains("step-00000005.due.h5"))
    // As it is when the run is killed right after the second name was given.
    let copy = try Data(contentsOf: URL(filePath: folder.path("step-00000005.due.h5")))
    let second = CheckpointStore(directory: folder.path, keep: 1)
    _ = try second.begin(resumedFrom: folder.path("step-00000005.due.h5"), step: 5, best: nil)
    try second.save(state(step: 5, best: 5))
    #expect(try CheckpointFolder(folder.path).names() == [CheckpointName(step: 5)])
    try copy.write(to: URL(filePath: folder.path("step-00000005.due.h5")))
    #expect(try CheckpointFolder(folder.path).newest().name == CheckpointName(step: 5))
    try damage(5)
    #expect(try CheckpointFolder(folder.path).newest().name == CheckpointName(step: 5, isDue: true))
  }

  @Test("a seal belongs to its bytes and a name to its step; without the .sha256 beside it a file is as good")
  func seals() throws {
    try store(keep: 3).save(state(step: 55))
    let path = folder.path("step-00000055.h5")
    try FileManager.default.removeItem(atPath: path + ".sha256")
    try CheckpointFolder.verify(path)
    let bytes = try Data(contentsOf: URL(filePath: path))
    for index in Array(stride(from: 0, to: bytes.count, by: 131)) + Array(bytes.count - Seal.byteCount..<bytes.count) {
      var changed = bytes
      changed[index] ^= 1 << UInt8(index % 8)
      try changed.write(to: URL(filePath: folder.path("step-00000056.h5")))
      #expect(throws: (any Error).self, "byte \(index)") {
        try CheckpointFolder.verify(folder.path("step-00000056.h5"))
      }
    }
    for count in [0, 10, bytes.count - 1, bytes.count - Seal.byteCount] {
      try bytes.prefix(count).write(to: URL(filePath: folder.path("step-00000056.h5")))
      #expect(throws: (any Error).self) { try CheckpointFolder.verify(folder.path("step-00000056.h5")) }
    }
    try FileManager.default.moveItem(atPath: path, toPath: folder.path("step-00000060.h5"))
    let error = #expect(throws: FileError.self) { try CheckpointFolder.verify(folder.path("step-00000060.h5")) }
    #expect(error?.description.contains("is named after step 60 but holds step 55") == true)
    try FileManager.default.moveItem(atPath: folder.path("step-00000060.h5"), toPath: folder.path("copy.h5"))
    try CheckpointFolder.verify(folder.path("copy.h5"))
    #expect(try File.open(folder.path("copy.h5")).attribute("step", as: Int64.self) == 55)
  }

  @Test("files of versions without seals are checked against the checksum beside them")
  func withoutSeal() throws {
    try store(keep: 3).save(state(step: 7))
    let path = folder.path("step-00000007.h5")
    let bytes = try Data(contentsOf: URL(filePath: path)).dropLast(Seal.byteCount)
    try bytes.write(to: URL(filePath: path))
    #expect(throws: FileError.self) { try CheckpointFolder.verify(path) }
    try Data("\(SHA256.hex([UInt8](bytes)))  step-00000007.h5\n".utf8).write(to: URL(filePath: path + ".sha256"))
    try CheckpointFolder.verify(path)
  }

  @Test("what killed runs leave is swept at the start, and nothing else")
  func sweeping() throws {
    try store(keep: 3).save(state(step: 7))
    for name in ["step-00000008.h5.partial", "step-00000006.h5.sha256", ".dat.nosync1a2b.xyz", "latest.h5.partial"] {
      try Data("x".utf8).write(to: URL(filePath: folder.path(name)))
    }
    for name in ["notes.txt", "mine.sha256", "step-x.h5", "step-7.h5"] {
      try Data("x".utf8).write(to: URL(filePath: folder.path(name)))
    }
    _ = try store(keep: 3, from: 7)
    #expect(
      folder.names.filter { !["latest.h5", "best.h5"].contains($0) }.sorted()
        == ["mine.sha256", "notes.txt", "step-00000007.h5", "step-00000007.h5.sha256", "step-7.h5", "step-x.h5"])
  }

  @Test("names are read only as they are written")
  func names() {
    for text in ["step-00000120.h5", "step-123456789.h5", "step-00000000.h5", "step-00000120.due.h5"] {
      #expect(CheckpointName(text)?.text == text)
    }
    for text in [
      "step-120.h5", "step-+0000120.h5", "step--0000120.h5", "step-00000120.h5.partial", "step-00000120", "best.h5",
      "step-00000120.r2.h5", "aside-step-00000120.h5", "step-00000120.due.due.h5", "STEP-00000120.h5",
    ] { #expect(CheckpointName(text) == nil, "\(text)") }
    let names = [CheckpointName(step: 5), CheckpointName(step: 5, isDue: true), CheckpointName(step: 4)]
    #expect(names.sorted() == names.reversed())
  }
}

@Suite("One run at a time in a folder")
struct FolderLockTests {
  let folder: TemporaryFolder
  init() throws { folder = try TemporaryFolder() }

  private func take(_ change: (inout FolderLock.Holder) -> Void = { _ in }, takesOver: Bool = false) throws
    -> FolderLock
  {
    var holder = FolderLock.Holder.current()
    change(&holder)
    return try FolderLock(folder: folder.path, takesOver: takesOver, holder: holder)
  }

  @Test("a second run is refused and told who is there; after the first one's end it goes on")
  func second() throws {
    var first: FolderLock? = try take()
    let error = #expect(throws: FileError.self) { try take() }
    #expect(error?.description.contains("is in use by process \(getpid()) on ") == true, "\(error?.description ?? "")")
    #expect(throws: FileError.self, "not even by force: the kernel knows that it lives") { try take(takesOver: true) }
    try first?.requireHeld()
    first?.release()
    first = nil
    _ = try take()
  }

  /// Leaves the lock of a run that was killed: the file says that it is held, and the kernel knows better.
  private func leave(_ change: (inout FolderLock.Holder) -> Void) throws {
    var holder = FolderLock.Holder.current()
    change(&holder)
    try JSONEncoder().encode(holder).write(to: URL(filePath: folder.path("run.lock")))
  }

  @Test("a kill leaves no lock on its host, nor does a boot")
  func killed() throws {
    try leave { _ in }
    _ = try take()
    try leave { $0.boot = "another" }
    _ = try take()
    #expect(folder.names.isEmpty, "the file goes with the run")
  }

  @Test("a holder on another host is gone only if its job was started again, or the user says so")
  func otherHost() throws {
    func elsewhere() throws { try leave { ($0.host, $0.job, $0.restarts) = ("elsewhere", "slurm 7", 0) } }
    try elsewhere()
    let error = #expect(throws: FileError.self) { try take() }
    #expect(error?.description.contains("on elsewhere (slurm 7)") == true)
    #expect(error?.description.contains("--take-over") == true)
    #expect(throws: FileError.self) { try take { $0.job = "slurm 8" } }
    #expect(throws: FileError.self) { try take { ($0.job, $0.restarts) = ("slurm 7", 0) } }
    _ = try take { ($0.host, $0.job, $0.restarts) = ("third", "slurm 7", 1) }
    try elsewhere()
    _ = try take(takesOver: true)
  }

  @Test("a run whose folder was taken over, or whose lock is gone, saves nothing more")
  func takenOver() throws {
    let first = try take()
    try leave { $0.token = "other" }
    #expect(throws: FileError.self) { try first.requireHeld() }
    first.release()
    #expect(folder.names == ["run.lock"], "it is not the first one's any more")
    try FileManager.default.removeItem(atPath: folder.path("run.lock"))
    let second = try take()
    try FileManager.default.removeItem(atPath: folder.path("run.lock"))
    #expect(throws: FileError.self) { try second.requireHeld() }
  }

  @Test("a lock file of any content is no crash", arguments: ["", "{", "null", String(repeating: "x", count: 100_000)])
  func hostile(text: String) throws {
    try Data(text.utf8).write(to: URL(filePath: folder.path("run.lock")))
    _ = try take()
  }
}
