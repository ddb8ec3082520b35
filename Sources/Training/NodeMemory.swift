// What memory the ranks of a node may take, and how many of them there are.
import Collectives
import Costs
import Foundation

/// Memory that processes of this node may still take.
enum NodeMemory {
  /// In bytes; nil where the system does not say.
  static var available: Double? {
    let meminfo = try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)
    let group = try? String(contentsOfFile: "/proc/self/cgroup", encoding: .utf8)
    let limits = limitFiles(ofGroup: group ?? "").compactMap { try? String(contentsOfFile: $0, encoding: .utf8) }
    return available(meminfo: meminfo ?? "", limits: limits)
  }

  /// The least of what the kernel counts as available and of what control groups allow.
  /// - Parameters:
  ///   - meminfo: the text of /proc/meminfo.
  ///   - limits: the texts of control groups' limits, `max` for none.
  static func available(meminfo: String, limits: [String]) -> Double? {
    let free = meminfo.split(separator: "\n").first { $0.hasPrefix("MemAvailable:") }?
      .split(separator: " ").dropFirst().first.flatMap { Double($0) }.map { $0 * 1024 }
    let allowed = limits.compactMap { Double($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
    return ([free].compactMap(\.self) + allowed).min()
  }

  /// The files that limit a process: those of its control group and of every group around it.
  /// - Parameter group: the text of /proc/self/cgroup.
  static func limitFiles(ofGroup group: String) -> [String] {
    for line in group.split(separator: "\n") {
      // "number:controllers:path"; version 2 has no controllers, version 1 a tree for memory.
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[1].isEmpty || parts[1].split(separator: ",").contains("memory") else { continue }
      let (root, file) =
        parts[1].isEmpty ? ("/sys/fs/cgroup", "memory.max") : ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")
      var names = parts[2].split(separator: "/")
      var files = ["\(root)/\(file)"]
      while !names.isEmpty {
        files.append("\(root)/\(names.joined(separator: "/"))/\(file)")
        names.removeLast()
      }
      return files
    }
    return []
  }

  /// What each rank may save of forward, by the node with the least memory a rank; `.max` where no node says.
  /// - Parameter weights: bytes that the ranks of a node map together.
  /// - Important: Collective.
  static func activationBytes(weights: Int, _ communicator: any Communicator) throws -> Int {
    let own = "\(available ?? .infinity)\n\(ProcessInfo.processInfo.hostName)"
    let nodes = try communicator.allGather(Array(own.utf8)).map { String(decoding: $0, as: UTF8.self) }
      .map { $0.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false) }
    return nodes.compactMap { node -> Int? in
      guard let memory = Double(node[0]), memory.isFinite else { return nil }
      let ranks = nodes.count { $0.last == node.last }
      return ActivationBudget.automatic(memory: memory, weights: Double(weights), ranks: ranks)
    }.min() ?? .max
  }
}
