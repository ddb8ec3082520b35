// The file through which ranks hear from each other without messages: a rank that is stopped can still be read of.
import Files
import Foundation
import Glibc

/// A file of one record a rank, in a folder that the hosts share.
///
/// It is opened anew for every record and every look: network file systems show others' writes to those who open. A
/// rank that cannot write it, since its host has another folder of that name, is one of which nothing is known.
package struct HeartbeatFile: Sendable {
  private static let prefix = ".imagelora-heartbeats-"
  let path: String

  /// Makes the file of a job on rank 0 and tells the others its path; nil where it cannot be made, or for one rank.
  /// What killed jobs left in that folder, or above it before it was made, goes.
  /// - Parameter target: what the job writes; the file lies in the nearest folder above it that is there.
  /// - Important: Collective.
  package static func shared(near target: String, _ communicator: any Communicator) throws -> HeartbeatFile? {
    var path: String?
    if communicator.rank == 0 {
      let folder = existingFolder(above: target)
      path = communicator.size > 1 ? make(in: folder) : nil
      sweep(folder, beside: path)
      sweep(URL(fileURLWithPath: folder).deletingLastPathComponent().path, beside: path)
    }
    guard communicator.size > 1 else { return nil }
    let bytes = try communicator.broadcast(Array((path ?? "").utf8), from: 0)
    return bytes.isEmpty ? nil : HeartbeatFile(path: String(decoding: bytes, as: UTF8.self))
  }

  func write(_ heartbeat: Heartbeat) {
    let descriptor = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW)
    guard descriptor >= 0 else { return }
    _ = heartbeat.record.withUnsafeBytes {
      pwrite(descriptor, $0.baseAddress, $0.count, heartbeat.rank * Heartbeat.size)
    }
    close(descriptor)
  }

  /// The records of all ranks, nil for those that have none.
  func read(ranks: Int) -> [Heartbeat?] {
    var bytes = [UInt8](repeating: 0, count: ranks * Heartbeat.size)
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
    if descriptor >= 0 {
      _ = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
      close(descriptor)
    }
    return (0..<ranks).map { rank in
      let record = Heartbeat(record: bytes[rank * Heartbeat.size..<(rank + 1) * Heartbeat.size])
      return record.flatMap { $0.rank == rank ? $0 : nil }
    }
  }

  package func remove() { unlink(path) }

  private static func existingFolder(above target: String) -> String {
    var folder = URL(fileURLWithPath: target).standardizedFileURL
    var isFolder: ObjCBool = false
    while folder.path != "/",
      !(FileManager.default.fileExists(atPath: folder.path, isDirectory: &isFolder) && isFolder.boolValue)
    {
      folder.deleteLastPathComponent()
    }
    return folder.path
  }

  private static func make(in folder: String) -> String? {
    let token = String(UInt32.random(in: .min ... .max), radix: 16)
    let path = "\(folder)/\(prefix)\(ProcessInfo.processInfo.hostName)-\(getpid())-\(token)"
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { return nil }
    close(descriptor)
    return path
  }

  /// Removes the files of jobs that were killed: those whose process on this host is gone, and those of other hosts
  /// that nobody had written to for a day, by the file server's clock, when the job's own was made.
  private static func sweep(_ folder: String, beside path: String?) {
    var own = stat()
    if let path { stat(path, &own) }
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix(prefix) && path?.hasSuffix("/\(name)") != true {
      let parts = name.dropFirst(prefix.count).split(separator: "-")
      guard parts.count >= 3, let process = Int32(parts[parts.count - 2]) else { continue }
      let host = parts.dropLast(2).joined(separator: "-")
      var other = stat()
      guard stat("\(folder)/\(name)", &other) == 0 else { continue }
      let isOld = own.st_mtim.tv_sec - other.st_mtim.tv_sec > 86_400
      let isGone = host == ProcessInfo.processInfo.hostName && hasEnded(process)
      if isOld || isGone { unlink("\(folder)/\(name)") }
    }
  }
}
