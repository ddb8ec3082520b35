// The folder of checkpoints as its run sees it: what it saves, what it keeps, what it sets aside.
import Digests
import Files
import Foundation
import Glibc
import HDF5

/// The checkpoints of one run. Only valid ones count: those that were checked when the run began, and those that it
/// saved.
///
/// Nothing is ever written over. What cannot be used, or belongs to steps that are computed again, is renamed to
/// `aside-...` and left to the user.
package final class CheckpointStore {
  package let folder: CheckpointFolder
  package var directory: String { folder.directory }
  /// How many of the newest checkpoints stay; the best one, the one resumed from and the last saved one stay too.
  package let keep: Int
  /// Newest first.
  private var valid: [CheckpointName] = []
  private var resumedFrom: CheckpointName?
  /// Takes a line about what goes wrong and does not matter to the checkpoint.
  private let warn: (String) -> Void

  package init(directory: String, keep: Int, warn: @escaping (String) -> Void = { _ in }) {
    (folder, self.keep, self.warn) = (CheckpointFolder(directory), keep, warn)
  }

  /// The newest checkpoint of a step, or where its first one will be.
  package func path(step: Int) -> String {
    folder.path(valid.first { $0.step == step } ?? CheckpointName(step: step))
  }

  /// Makes the folder where it is missing.
  /// - Throws: `FileError`.
  package func prepare() throws { try makeFolder(directory) }

  /// Begins a run after a step: sweeps what killed runs have left, sets aside checkpoints that are not valid or of
  /// later steps, and points the links at what is there.
  /// - Parameters:
  ///   - path: the checkpoint that the run was resumed from; nil for a new run.
  ///   - best: the step of the lowest validation loss so far.
  /// - Returns: a line for each checkpoint that was set aside.
  /// - Throws: `FileError`, a failure of the machine.
  package func begin(resumedFrom path: String?, step: Int, best: Int?) throws -> [String] {
    sweep()
    var notes: [String] = []
    for name in try folder.names() {
      do {
        try CheckpointFolder.verify(folder.path(name))
        guard name.step > step else {
          valid.append(name)
          continue
        }
        notes.append(try setAside(name, "it is of a later step"))
      } catch {
        notes.append(try setAside(name, "\(error)"))
      }
    }
    let resolved = path.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path }
    resumedFrom = valid.first { URL(fileURLWithPath: folder.path($0)).resolvingSymlinksInPath().path == resolved }
    link("latest.h5", to: resumedFrom)
    link("best.h5", to: valid.first { $0.step == best })
    return notes
  }

  /// Writes a checkpoint under a temporary name, sealed and synchronized, renames it, then deletes what is too old. An
  /// interrupted or failed write leaves all earlier checkpoints as they were.
  /// - Parameter check: looks at the written file before it is sealed and gets its name.
  /// - Throws: `HDF5Error` or `FileError`, or what the check throws.
  package func save(_ state: TrainingState, check: (borrowing CheckpointFile) throws -> Void = { _ in }) throws {
    let name = CheckpointName(step: state.step, isDue: state.validationDue)
    let path = folder.path(name)
    if FileManager.default.fileExists(atPath: path) {
      warn(try setAside(name, "it is saved again"))
      valid.removeAll { $0 == name }
    }
    try File.replace(
      path,
      sealed: { partial in
        try check(CheckpointFile(partial))
        try Seal.append(to: partial)
        // For `sha256sum -c`, before the checkpoint has its name; the checkpoint itself needs it no longer.
        let line = "\(try CheckpointFolder.sha256(of: partial))  \(name.text)\n"
        try writeAtomically(Data(line.utf8), to: path + ".sha256")
      }, build: { file in try state.write(to: file) })
    valid.insert(name, at: 0)
    valid.sort(by: >)
    link("latest.h5", to: name)
    let best = valid.first { $0.step == state.best?.step }
    if best == name { link("best.h5", to: name) }
    let isMadeUpFor = CheckpointName(step: state.step, isDue: true)
    let superfluous = valid.dropFirst(keep).filter { $0 != best && $0 != resumedFrom } + [isMadeUpFor]
    for old in superfluous where old != name && valid.contains(old) {
      if unlink(folder.path(old)) == 0 { unlink(folder.path(old) + ".sha256") }
      valid.removeAll { $0 == old }
    }
  }

  /// Deletes what a killed run has left: unfinished files, and checksums of checkpoints that are gone.
  private func sweep() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    let all = Set(names.map { ExactString($0) })
    for name in names {
      let isPartial = name.hasSuffix(".partial") || name.hasPrefix(".dat.nosync")
      let isOrphan =
        name.hasSuffix(".h5.sha256") && CheckpointName(String(name.dropLast(7))) != nil
        && !all.contains(ExactString(String(name.dropLast(7))))
      if isPartial || isOrphan { unlink("\(directory)/\(name)") }
    }
  }

  private func setAside(_ name: CheckpointName, _ reason: String) throws -> String {
    var aside = "aside-\(name.text)"
    var number = 1
    while FileManager.default.fileExists(atPath: "\(directory)/\(aside)") {
      number += 1
      aside = "aside-\(number)-\(name.text)"
    }
    // A run whose folder was taken over may delete it meanwhile.
    guard rename(folder.path(name), "\(directory)/\(aside)") == 0 || errno == ENOENT else {
      throw FileError(
        folder.path(name), "cannot be set aside", cause: SystemError.last("rename"), fault: .machine)
    }
    rename(folder.path(name) + ".sha256", "\(directory)/\(aside).sha256")
    return "set aside \(name.text) as \(aside): \(reason)"
  }

  /// Points a name at a checkpoint, or removes it; a file system without symbolic links gets a hard link, and one
  /// without these none.
  private func link(_ name: String, to target: CheckpointName?) {
    let (path, partial) = ("\(directory)/\(name)", "\(directory)/\(name).partial")
    unlink(partial)
    guard let target else {
      unlink(path)
      return
    }
    let isLinked = symlink(target.text, partial) == 0 || Glibc.link(folder.path(target), partial) == 0
    guard isLinked, rename(partial, path) == 0 else {
      let cause = SystemError.last("link")
      unlink(partial)
      warn("\(path) cannot be made (\(cause)); \(target.text) is saved")
      return
    }
  }
}
