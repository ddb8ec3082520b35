// The parity fixtures' folders, whose models and images other tests use too.
import Foundation

/// `model/`, `images/` and `adapter/` of Tests/ParityTests/Resources.
package enum ParityFixture {
  /// The folder of a fixture: `a`, `b` or `qwen3-vl`.
  package static func path(_ name: String) -> String {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .appending(path: "ParityTests/Resources/\(name)").path
  }
}
