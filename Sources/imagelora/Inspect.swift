// imagelora inspect: an example as the model sees it, a checkpoint, scores file or pack, or a model folder.
import ArgumentParser
import Artifacts
import Batches
import Datasets
import Files
import Foundation
import HuggingFace
import Inspection
import RunFile

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show an example as the model sees it, a checkpoint, scores, a pack, a model or an adapter folder.",
    discussion: """
      For a run file, shows the examples of one row, the first unless --row names another: the whole conversation and, \
      where the chat template writes earlier answers in another way than the last one, an example ID@MESSAGE for each of \
      them. Of an example it shows every token with its index, its M-RoPE \
      position (one number if the three axes agree) and a * if it is supervised, one line for each image, and boxes in \
      original and resized pixels. --newest prints the path of the checkpoint from which train --resume auto would \
      continue the run of a run file, and nothing where there is none, for scripts.

      For an HDF5 file, shows the contents of the checkpoint or scores file; of a damaged one nothing is read but its \
      digest. Of a pack (imagelora pack) it checks the index, and with --verify every image.

      For an adapter's folder, shows its options, heads and tensors and checks its digest. For a model folder, shows the \
      model's shape, parameters, pixel limits and special tokens; without weights, what config.json says. --verify also reads all \
      weights for a digest of all of their bytes. It is kept beside the model (or in the user's cache folder) until \
      the files change, and goes into checkpoints and exported adapters.

      Examples:
        imagelora inspect run.yaml --row screen-17
        imagelora inspect run.yaml --newest
        imagelora inspect checkpoints/best.h5
        imagelora inspect Qwen2.5-VL-3B --verify
      """)

  @Argument(help: "A run file, a checkpoint, scores file or pack (HDF5), or a folder of a model or an adapter.")
  var path: String

  @Option(
    help: ArgumentHelp(
      "The id of the training or validation example to show; where there are several files, NAME:ID.", valueName: "id"))
  var row: String?

  @Option(name: .customLong("set"), help: ArgumentHelp("Override one key of the run file.", valueName: "key=value"))
  var overrides: [String] = []

  @Flag(help: "Of a run file: print the path of the newest valid checkpoint instead of an example.")
  var newest = false

  @Flag(
    help: """
      Of a model folder: read all weights and show, and keep, the digest of all of their bytes. Of a pack: read all \
      images and compare them with their digests.
      """)
  var verify = false

  @Flag(help: "Print one JSON document instead of lines.")
  var json = false

  func validate() throws {
    guard !newest || (row == nil && !json) else { throw ValidationError("--newest: omit --row and --json") }
  }

  private enum Kind { case folder, hdf5, run }

  func run() throws {
    try onFirstRank {
      let kind = try kind()
      guard kind == .run || (row == nil && overrides.isEmpty && !newest) else {
        throw FileError(path, "is no run file", remedy: "omit --row, --newest and --set")
      }
      guard kind != .run || !verify else { throw Self.cannotVerify(path) }
      switch kind {
      case .folder: try showFolder()
      case .hdf5: try showHDF5()
      case .run: try newest ? showNewest() : showExample()
      }
    }
  }

  private func kind() throws -> Kind {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileError(path, "there is no such file or folder")
    }
    if isFolder.boolValue { return .folder }
    let file = FileHandle(forReadingAtPath: path)
    let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]
    if let head = try file?.read(upToCount: signature.count), Array(head) == signature { return .hdf5 }
    guard !path.hasSuffix(".h5") else {
      throw FileError(path, "is no HDF5 file, or its beginning is damaged", remedy: "use another checkpoint")
    }
    return .run
  }

  private func showFolder() throws {
    if AdapterFolder.isAdapter(path) {
      guard !verify else { throw Self.cannotVerify(path) }
      let adapter = try AdapterFolderDescription(path)
      return json ? try sayJSON(adapter) : adapter.lines.forEach(say)
    }
    guard FileManager.default.fileExists(atPath: path + "/config.json") else {
      throw FileError(
        path, "has no config.json",
        remedy: "give a model or adapter folder, a run file, or one file of a folder of checkpoints")
    }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    if !verify, !names.contains(where: { $0.hasSuffix(".safetensors") || $0.hasSuffix(".safetensors.index.json") }) {
      let outline = try ModelOutline(folder: path)
      return json ? try sayJSON(outline) : outline.lines.forEach(say)
    }
    let base = try BaseModel(folder: path)
    var model = try ModelDescription(base)
    if verify {
      var reports = Progress()
      let (digest, kept) = try base.verifiedDigest { done, all in
        if !json { reports.note("verify: \(done >> 20) of \(all >> 20) MiB") }
      }
      model.fullDigest = digest
      if kept == nil { complain("the digest cannot be kept, neither in \(path) nor in the user's cache folder") }
    }
    if json { try sayJSON(model) } else { model.lines.forEach(say) }
  }

  private func showHDF5() throws {
    let kind = try HDF5Kind(of: path)
    guard kind == .pack || !verify else { throw Self.cannotVerify(path) }
    switch kind {
    case .checkpoint:
      let checkpoint = try CheckpointDescription(path)
      if json { try sayJSON(checkpoint) } else { checkpoint.lines.forEach(say) }
    case .scores:
      let scores = ScoresDescription(try InfluenceScores(reading: path, notice: complain), file: path)
      if json { try sayJSON(scores) } else { scores.lines.forEach(say) }
    case .pack:
      var pack = try PackDescription(path)
      var reports = Progress()
      if verify {
        try pack.verify { done, all in if !json { reports.note("verify: \(done) of \(all) images") } }
      }
      if json { try sayJSON(pack) } else { pack.lines.forEach(say) }
    }
  }

  private static func cannotVerify(_ path: String) -> FileError {
    FileError(path, "is neither a model folder nor a pack", remedy: "omit --verify")
  }

  private func showNewest() throws {
    let folder = CheckpointFolder(try RunConfiguration(path: path, overrides: overrides).checkpoint.directory.resolved)
    if let newest = try folder.newest().name { say(folder.path(newest)) }
  }

  private func showExample() throws {
    let run = try RunConfiguration(path: path, overrides: overrides)
    let found = try find(in: run)
    let base = try BaseModel(
      folder: run.model.path.resolved, minPixels: run.model.minPixels, maxPixels: run.model.maxPixels,
      templateVariables: run.model.template ?? TemplateVariables(), reading: run.data.imageReading)
    let all = try base.sampleBuilder(for: run).samples(of: found)
    let own = all.filter { example, _ in row.map(example.id.hasSameBytes) ?? false }
    let shown = own.isEmpty || found.id.hasSameBytes(as: row ?? found.id) ? all : own
    guard let first = shown.first, row.map({ isPart($0, of: shown.map(\.example), row: found) }) ?? true else {
      throw FileError(run.path, "no example has the id \(row ?? "")")
    }
    try base.imageNotices(of: first.example, first.sample).forEach(complain)
    let ids = all.map(\.example.id)
    if json {
      return try sayJSON(ExampleDescription(first.example, sample: first.sample, base: base, examplesOfRow: ids))
    }
    for (index, (example, sample)) in shown.enumerated() {
      if index > 0 { say("") }
      for line in ExampleDescription(example, sample: sample, base: base, examplesOfRow: ids).lines {
        switch line.kind {
        case .supervised: say(line.text, in: .green)
        case .image: say(line.text, in: .cyan)
        case .heading, .token: say(line.text)
        }
      }
    }
  }

  /// Whether the id asked for is the row's or one of its examples'.
  private func isPart(_ id: String, of examples: [Example], row: Example) -> Bool {
    id.hasSameBytes(as: row.id) || examples.contains { $0.id.hasSameBytes(as: id) }
  }

  /// The row of the requested example. If it is bad, its problem is thrown; other bad examples do not matter.
  private func find(in run: RunConfiguration) throws -> Example {
    // An id of one of a row's answers is the row's with the message's number behind it.
    let rowOfAnswer = row.flatMap { id in
      id.utf8.lastIndex(of: UInt8(ascii: "@")).flatMap { at in
        Int(id[at...].dropFirst()).map { _ in String(id[..<at]) }
      }
    }
    let files = run.allFiles
    for (file, wanted) in files.map({ ($0, row) }) + (rowOfAnswer.map { id in files.map { ($0, id) } } ?? []) {
      let data = try file.read()
      func isMeant(_ id: String) -> Bool { wanted.map(id.hasSameBytes) ?? true }
      if let found = data.examples.first(where: { isMeant($0.id) }) { return found }
      if wanted != nil, let problem = data.problems.first(where: { isMeant($0.id) }) {
        throw FileError(file.title, problem.description)
      }
    }
    throw FileError(files.map(\.title).joined(separator: ", "), "no example has the id \(row ?? "")")
  }
}
