// Which program runs: another version or build may round or read otherwise.
import Digests
import Foundation

enum RunningProgram {
  /// SHA-256 of the program's file; nil where it cannot be read.
  static let digest: String? = (try? Data(contentsOf: file, options: .mappedIfSafe))
    .map { $0.withUnsafeBytes { SHA256.hex($0) } }

  /// PREFIX/bin/NAME also where PREFIX/lib/imagelora/LEVEL/NAME runs, the same for another level of processors
  /// (CProcessor): both have the same bits as results, and the ranks of a run may have one each.
  private static var file: URL {
    let own = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
    let folder = own.deletingLastPathComponent().deletingLastPathComponent()
    guard folder.path.hasSuffix("/lib/imagelora") else { return own }
    let prefix = folder.deletingLastPathComponent().deletingLastPathComponent()
    let first = prefix.appendingPathComponent("bin").appendingPathComponent(own.lastPathComponent)
    return FileManager.default.isReadableFile(atPath: first.path) ? first : own
  }
}
