// A mapped file that is cut short while it is in use: its missing bytes are read with SIGBUS, which ends the process
// with one line here.
import Glibc
import Synchronization

/// The parts of memory that files are mapped to, and what is said if one of them is cut.
package enum CutFiles {
  fileprivate struct Slot {
    var start: UInt = 0
    var end: UInt = 0
    /// Made before the signal: nothing can be made in its handler.
    var line: UnsafeMutablePointer<UInt8>?
    var count = 0
  }

  /// More files than are mapped at a time.
  fileprivate static let capacity = 1024
  private static let used = Mutex(0)
  /// Seconds before the line is written.
  fileprivate static let delay = Atomic(0)

  /// Ends the process with status 1 and one line on standard error that names the file when a mapped file turns out to
  /// be cut. Other causes of SIGBUS do what they do without it.
  ///
  /// To be called after everything that takes signals for itself, as MPI.
  /// - Parameter rank: of ranks that meet the cut at once, the first ends the job before the others speak.
  package static func report(rank: Int = 0) {
    // mpirun kills the other ranks some two seconds after the first has ended.
    delay.store(5 * min(rank, 4), ordering: .relaxed)
    // Made before the first signal: a handler must not wait for what its own thread may be making.
    _ = slots
    var action = sigaction()
    action.__sigaction_handler.sa_sigaction = { _, info, _ in
      let address = UInt(bitPattern: info?.pointee._sifields._sigfault.si_addr)
      for index in 0..<CutFiles.capacity {
        let slot = slots[index]
        guard slot.start <= address, address < slot.end, let line = slot.line else { continue }
        var rest = timespec(tv_sec: CutFiles.delay.load(ordering: .relaxed), tv_nsec: 0)
        // mpirun's SIGTERM, which comes first, must not make it speak.
        while withUnsafeMutablePointer(to: &rest, { nanosleep($0, $0) }) != 0, errno == EINTR {}
        _ = write(STDERR_FILENO, line, slot.count)
        _exit(ExitStatus.failed)
      }
      // Another cause: it happens again at once, and has its way.
      signal(SIGBUS, SIG_DFL)
    }
    action.sa_flags = SA_SIGINFO
    sigaction(SIGBUS, &action, nil)
  }

  /// Notes that a file is mapped; nil if too many are.
  package static func add(_ bytes: UnsafeRawBufferPointer, path: String) -> Int? {
    guard let base = bytes.baseAddress else { return nil }
    let name = printable(String(path.map { $0.isNewline ? " " : $0 }))
    let text =
      "imagelora: \(name): was cut while it was in use; restore it, then start again (a training run with --resume auto)\n"
    let line = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: text.utf8.count)
    _ = line.initialize(from: text.utf8)
    return used.withLock { used in
      guard let index = (0..<used).first(where: { slots[$0].line == nil }) ?? (used < capacity ? used : nil) else {
        line.deallocate()
        return nil
      }
      used = max(used, index + 1)
      // The line first: a slot counts from its end on.
      slots[index].line = line.baseAddress
      slots[index].count = line.count
      slots[index].start = UInt(bitPattern: base)
      slots[index].end = UInt(bitPattern: base) + UInt(bytes.count)
      return index
    }
  }

  /// Notes that a file is mapped no more.
  package static func remove(_ index: Int) {
    used.withLock { _ in
      let line = slots[index].line
      slots[index] = Slot()
      line?.deallocate()
    }
  }
}

/// Written under the lock of `CutFiles`, read in a signal's handler too.
private nonisolated(unsafe) let slots: UnsafeMutablePointer<CutFiles.Slot> = {
  let slots = UnsafeMutablePointer<CutFiles.Slot>.allocate(capacity: CutFiles.capacity)
  slots.initialize(repeating: CutFiles.Slot(), count: CutFiles.capacity)
  return slots
}()
