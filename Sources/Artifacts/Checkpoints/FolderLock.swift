// One run at a time in a folder: a lock that a kill releases, and that names its holder.
import Files
import Foundation
import Glibc

/// A held lock on a folder of checkpoints.
///
/// The file `run.lock` is locked by the kernel as long as the holder lives (an open file description lock, which NFS
/// passes on between hosts), and says who holds it, for hosts on which the kernel cannot know.
package final class FolderLock {
  /// Who holds the lock.
  struct Holder: Codable, Equatable {
    var host: String
    /// Of the kernel that the holder runs on; changes with every boot.
    var boot: String
    var process: Int32
    /// The scheduler's job, as `slurm 123`, and how often it was started again before.
    var job: String?
    var restarts: Int?
    /// UTC.
    var started: String
    /// Different for each holder.
    var token: String

    var words: String {
      "process \(process) on \(host)" + (job.map { " (\($0))" } ?? "") + " since \(started)"
    }
  }

  private let path: String
  private let descriptor: Int32
  private let holder: Holder

  /// Takes the lock of a folder.
  /// - Parameter takesOver: whether a holder on another host, of which nobody can know here whether it lives, loses it.
  /// - Throws: `FileError` that names the holder.
  package convenience init(folder: String, takesOver: Bool) throws {
    try self.init(folder: folder, takesOver: takesOver, holder: .current())
  }

  init(folder: String, takesOver: Bool, holder: Holder) throws {
    let path = "\(folder)/run.lock"
    self.path = path
    self.holder = holder
    var lock = KernelLock.unavailable
    var opened: Int32 = -1
    // A holder that gives the lock back deletes the file: a lock on one that is gone is none.
    for _ in 0..<8 {
      opened = uninterrupted { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o644) }
      guard opened >= 0 else { throw FileError.unwritable(path, cause: SystemError.last("open")) }
      do { lock = try Self.lock(opened) } catch {
        close(opened)
        throw FileError(path, "cannot be locked", cause: error)
      }
      if Self.isSameFile(opened, path) { break }
      close(opened)
      opened = -1
    }
    guard opened >= 0 else { throw FileError(path, "changes all the time", remedy: "name another folder") }
    descriptor = opened
    do {
      var earlier = try Self.read(descriptor, path)
      // Whoever has taken the lock this moment is about to write its name: until then the one before it stands there.
      var waits = lock == .held ? 200 : 0
      while waits > 0, earlier.map({ Self.isOver($0, for: holder) }) ?? true {
        usleep(10_000)
        waits -= 1
        earlier = try Self.read(descriptor, path)
      }
      // Another host may keep its lock for a while after its end.
      let isElsewhere = earlier.map { $0.host != holder.host } ?? false
      if lock == .held, !(takesOver && isElsewhere) {
        throw Self.held(folder, by: earlier, isProven: !isElsewhere)
      }
      if let earlier, !Self.isGone(earlier, for: holder, isLocked: lock == .taken), !takesOver {
        throw Self.held(folder, by: earlier, isProven: false)
      }
      try write(holder)
      // Without locks two runs may have come here at once; the last one has it.
      let now = try Self.read(descriptor, path)
      guard now == holder else { throw Self.held(folder, by: now, isProven: true) }
    } catch {
      close(descriptor)
      throw error
    }
  }

  deinit {
    release()
    close(descriptor)
  }

  /// Gives the lock back, unless somebody else has it by now.
  package func release() {
    if (try? requireHeld()) != nil { unlink(path) }
  }

  /// Throws where another run has taken the folder over: nothing may be saved there then.
  package func requireHeld() throws(FileError) {
    let now = Self.isSameFile(descriptor, path) ? try Self.read(descriptor, path) : nil
    guard now == holder else {
      throw FileError(
        path, "was taken over by \(now?.words ?? "somebody who removed it")",
        remedy: "this run ends without saving; start it in another folder", fault: .machine)
    }
  }

  private static func held(_ folder: String, by holder: Holder?, isProven: Bool) -> FileError {
    FileError(
      folder, "is in use by \(holder?.words ?? "another process")",
      remedy: isProven
        ? "wait for it, or name another folder in checkpoint.directory"
        : "wait for it, name another folder in checkpoint.directory, or give --take-over if it is gone")
  }

  /// Whether an earlier holder is provably gone: its kernel released the lock, or runs no longer, or its job was
  /// started again, which a scheduler does only after the end of the earlier start.
  private static func isGone(_ earlier: Holder, for holder: Holder, isLocked: Bool) -> Bool {
    if earlier.host == holder.host { return isLocked || isOver(earlier, for: holder) }
    guard let job = holder.job, job == earlier.job else { return false }
    return (holder.restarts ?? 0) > (earlier.restarts ?? 0)
  }

  /// Whether an earlier holder on this host runs no longer.
  private static func isOver(_ earlier: Holder, for holder: Holder) -> Bool {
    earlier.host == holder.host && (earlier.boot != holder.boot || hasEnded(earlier.process))
  }

  private enum KernelLock {
    /// By this process.
    case taken
    /// By another one.
    case held
    /// The file system has no locks.
    case unavailable
  }

  /// Asks for an open file description lock on the whole file.
  /// - Throws: `SystemError` where nobody can know whether somebody has it.
  private static func lock(_ descriptor: Int32) throws(SystemError) -> KernelLock {
    let setLock: Int32 = 37  // F_OFD_SETLK, a macro that Swift does not see
    var range = flock()
    range.l_type = Int16(F_WRLCK)
    range.l_whence = Int16(SEEK_SET)
    if uninterrupted({ fcntl(descriptor, setLock, &range) }) == 0 { return .taken }
    switch errno {
    case EAGAIN, EACCES: return .held
    case ENOLCK, ENOSYS, EOPNOTSUPP, EINVAL: return .unavailable
    default: throw SystemError.last("fcntl")
    }
  }

  /// Whether a path still names an open file.
  private static func isSameFile(_ descriptor: Int32, _ path: String) -> Bool {
    var (open, named) = (stat(), stat())
    return fstat(descriptor, &open) == 0 && stat(path, &named) == 0 && open.st_ino == named.st_ino
      && open.st_dev == named.st_dev
  }

  /// What the file says; nil for an empty file, or one that was being written when a process was killed.
  private static func read(_ descriptor: Int32, _ path: String) throws(FileError) -> Holder? {
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = bytes.withUnsafeMutableBytes { bytes in
      uninterrupted { pread(descriptor, bytes.baseAddress, bytes.count, 0) }
    }
    guard count >= 0 else { throw FileError(path, "cannot be read", cause: SystemError.last("pread"), fault: .machine) }
    return try? JSONDecoder().decode(Holder.self, from: Data(bytes.prefix(count)))
  }

  private func write(_ holder: Holder) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let data = try encoder.encode(holder) + Data("\n".utf8)
    func failed(_ call: String) -> FileError { .unwritable(path, cause: SystemError.last(call)) }
    guard uninterrupted({ ftruncate(descriptor, 0) }) == 0 else { throw failed("ftruncate") }
    // Reading has not moved the position from the file's start.
    guard data.withUnsafeBytes({ writeAll($0, to: descriptor) }) else { throw failed("write") }
    guard uninterrupted({ fsync(descriptor) }) == 0 else { throw failed("fsync") }
  }
}

extension FolderLock.Holder {
  /// This process.
  static func current() -> FolderLock.Holder {
    let environment = ProcessInfo.processInfo.environment
    var job: String?
    for (name, key) in [("slurm", "SLURM_JOB_ID"), ("pbs", "PBS_JOBID"), ("lsf", "LSB_JOBID"), ("flux", "FLUX_JOB_ID")]
    {
      if let id = environment[key] { job = job ?? "\(name) \(id)" }
    }
    let boot = try? String(contentsOfFile: "/proc/sys/kernel/random/boot_id", encoding: .utf8)
    return FolderLock.Holder(
      host: ProcessInfo.processInfo.hostName, boot: boot?.trimmingCharacters(in: .whitespacesAndNewlines) ?? "",
      process: getpid(), job: job, restarts: environment["SLURM_RESTART_COUNT"].flatMap { Int($0) },
      started: Date().formatted(.iso8601), token: UUID().uuidString)
  }
}
