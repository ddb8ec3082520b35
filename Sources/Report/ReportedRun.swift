// One run, read from its folder; what is missing is left out, with a line that states why.
import Adapters
import Artifacts
import Batches
import Costs
import Evaluation
import Files
import Formatting
import Foundation
import RunFile

/// The contents of a run's files.
struct ReportedRun {
  /// The path, as the user wrote it.
  let folder: String
  /// Its name in the page; shorter than the folder.
  var name = ""
  let run: RunConfiguration
  let log: MetricsLog
  let sessions: [RunSession]
  let checkpoint: ReportedCheckpoint?
  let lengths: MeasuredExamples?
  let predictions: [PredictionLine]?
  /// Of the validation examples as they are now; nil if the run has none or they cannot be read.
  let validationDigest: String?
  /// What is not in the page, and why, one line each.
  let omissions: [String]

  /// Maximum size of metrics.jsonl, in bytes.
  private static let maximumBytes = 1 << 29

  /// - Parameters:
  ///   - predictions: the file of the run's predictions; by default its own `predictions.jsonl`.
  /// - Throws: `FileError` for a folder that is not a run; `RunFileError` for its run.yaml; `FileError` for broken
  ///   predictions.
  init(folder: String, predictions given: String?) throws {
    self.folder = folder
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder) else {
      throw FileError(folder, "there is no such folder", remedy: "give the folder of a run's checkpoints")
    }
    guard isFolder.boolValue else {
      throw FileError(folder, "is no folder", remedy: "give the folder that this file of a run lies in")
    }
    func has(_ name: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/\(name)") }
    let checkpoints = CheckpointFolder(folder)
    guard has("run.yaml"), try has("metrics.jsonl") || !checkpoints.names().isEmpty else {
      throw FileError(
        folder, "is no run: it has \(has("run.yaml") ? "neither metrics.jsonl nor checkpoints" : "no run.yaml")",
        remedy: "give the folder that checkpoint.directory of a run names")
    }
    run = try RunConfiguration(path: "\(folder)/run.yaml")
    var omissions: [String] = []

    let (log, problem) = Self.log(folder)
    self.log = log
    problem.map { omissions.append("curves and times: \($0)") }
    if !log.problems.isEmpty {
      let more = log.problems.count > 1 ? " and \(plural(log.problems.count - 1, "more line"))" : ""
      omissions.append("of metrics.jsonl: \(log.problems[0])\(more)")
    }
    sessions = RunSession.all(in: folder)
    if sessions.isEmpty { omissions.append("dates and versions of its sessions: there is no readable sessions.jsonl") }

    do {
      checkpoint = try ReportedCheckpoint(checkpoints, notes: &omissions)
      if checkpoint == nil { omissions.append("adapter and heads: there is no valid checkpoint") }
    } catch {
      checkpoint = nil
      omissions.append("adapter and heads: \(error)")
    }
    do {
      lengths = try run.measuredExamples()
    } catch {
      lengths = nil
      omissions.append("lengths of the training examples: \(error)")
    }
    do {
      validationDigest = try run.validationFiles?.read().digest
    } catch {
      validationDigest = nil
      omissions.append("the digest of the validation examples: \(error)")
    }
    if given == nil, !has("predictions.jsonl") {
      predictions = nil
      omissions.append("answers: there is no predictions.jsonl; write it with imagelora evaluate --output")
    } else {
      predictions = try PredictionLine.read(given ?? "\(folder)/predictions.jsonl")
    }
    self.omissions = omissions
  }

  private static func log(_ folder: String) -> (log: MetricsLog, problem: String?) {
    let path = "\(folder)/metrics.jsonl"
    do {
      let log = MetricsLog(try readFile(path, maximumBytes: maximumBytes))
      return (log, log.isEmpty ? "metrics.jsonl holds no numbers" : nil)
    } catch {
      return (MetricsLog(Data()), "\(error)")
    }
  }

  // MARK: - Used by several parts of the page

  /// Lowest validation loss, from the log or, if the log has none, from the checkpoint.
  var best: (step: Int, loss: Double)? {
    log.lowestValidationLoss.map { (Int($0.step), $0.value) } ?? checkpoint?.best.map { ($0.step, $0.loss) }
  }

  /// What it can be named by.
  var naming: RunNaming {
    let base = URL(fileURLWithPath: run.model.path.resolved).lastPathComponent
    return RunNaming(folder: folder, base: base, started: sessions.first?.started)
  }

  var costs: AdapterCosts? { checkpoint.map { AdapterCosts($0.layout) } }

  /// Lines of a model, in the file's order.
  func predictions(of model: String) -> [PredictionLine] { predictions?.filter { $0.model == model } ?? [] }

  /// Settings other than seeds, with model and data. Runs in which these are the same have one configuration.
  var configuration: [(key: String, value: String)] {
    var same = run
    same.training.seed = 0
    same.adapter.heads.seed = 0
    return [("model.path", run.model.path.resolved), ("data.train", run.data.train.listing)]
      + (run.data.validation.map { [("data.validation", $0.listing)] } ?? [])
      + (run.data.validationFraction.map { [("data.validation_fraction", "\($0)")] } ?? [])
      + same.decisiveSettings.filter { !["training.seed", "adapter.heads.seed"].contains($0.key) }
  }
}

/// What a checkpoint states about its run.
struct ReportedCheckpoint {
  let path: String
  let step, epoch, consumedExamples, worldSize: Int
  let seed: UInt64
  let runDigest: String
  let provenance: AdapterProvenance
  let adapter: AdapterConfiguration
  let layout: AdapterLayout
  /// Nil if it does not match the adapter, and for standard LoRA, which selects no heads.
  let selection: HeadSelection?
  let best: TrainingState.Validated?

  /// Reads a folder's best checkpoint, or its newest if there is no valid best one; nil if none is valid.
  init?(_ folder: CheckpointFolder, notes: inout [String]) throws {
    var found = "\(folder.directory)/best.h5"
    if !FileManager.default.fileExists(atPath: found) || (try? CheckpointFolder.verify(found)) == nil {
      let (newest, refused) = try folder.newest()
      notes += refused.map { "a checkpoint: \($0)" }
      guard let newest else { return nil }
      found = folder.path(newest)
    }
    path = URL(fileURLWithPath: found).resolvingSymlinksInPath().path
    let file = try CheckpointFile(path)
    (step, epoch, consumedExamples) = (try file.step(), try file.epoch(), try file.consumedExamples())
    (worldSize, seed, runDigest) = (try file.worldSize(), try file.seed(), try file.runDigest())
    provenance = try file.provenance()
    (adapter, layout) = try file.adapter()
    best = try file.best()
    guard case .imageLoRA(let options) = adapter else {
      selection = nil
      return
    }
    do {
      let selection = try file.selection()
      guard selection.adapted == options.heads else {
        throw FileError(path, "its selection is not the adapter's kv_indices")
      }
      self.selection = selection
    } catch {
      selection = nil
      notes.append("heads: \(error)")
    }
  }
}
