// Which program runs: another version or build may round or read otherwise.
import Digests
import Foundation

enum RunningProgram {
  /// SHA-256 of the program's file; nil where it cannot be read.
  static let digest: String? = (try? Data(contentsOf: URL(fileURLWithPath: "/proc/self/exe"), options: .mappedIfSafe))
    .map { $0.withUnsafeBytes { SHA256.hex($0) } }
}
