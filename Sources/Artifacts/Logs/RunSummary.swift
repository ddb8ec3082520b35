// summary.json: what a run that reached its last step came to, beside its checkpoints.
import Files
import Formatting
import Foundation

/// The counters of a finished run; docs/formats.md says what the keys mean.
package struct RunSummary: Encodable, Sendable, Equatable {
  /// What rank 0 handed to the all-reduces of this start, counted by the communicator.
  package struct AllReduce: Encodable, Sendable, Equatable {
    package var bytes, calls: Int
    package init(bytes: Int, calls: Int) { (self.bytes, self.calls) = (bytes, calls) }
  }

  /// Vision features over all ranks, where there is a cache on disk.
  package struct VisionFeatures: Encodable, Sendable, Equatable {
    /// How often features were read from the cache, and how often they were computed.
    package var read, computed: Int
    /// Images of the data, and how many of them were cached when the run started; nil where nobody looked.
    package var images, cachedAtStart: Int?
    package init(read: Int, computed: Int, images: Int?, cachedAtStart: Int?) {
      (self.read, self.computed, self.images, self.cachedAtStart) = (read, computed, images, cachedAtStart)
    }
  }

  package var steps: Int
  /// Of this start, from its first step on.
  package var seconds: Double
  package var allReduce: AllReduce
  package var visionFeatures: VisionFeatures?
  /// Keys of rows that were left out, and how often; nil where there were none.
  package var ignoredKeys: [String: Int]?

  package init(
    steps: Int, seconds: Double, allReduce: AllReduce, visionFeatures: VisionFeatures?,
    ignoredKeys: [String: Int]? = nil
  ) {
    (self.steps, self.seconds, self.allReduce, self.visionFeatures) = (steps, seconds, allReduce, visionFeatures)
    self.ignoredKeys = ignoredKeys
  }

  package static let fileName = "summary.json"

  /// Writes a folder's file whole or not at all.
  /// - Throws: `FileError`.
  package func write(to directory: String) throws(FileError) {
    let path = "\(directory)/\(Self.fileName)"
    let text: String
    do { text = try jsonDocument(self) } catch { throw FileError.unwritable(path, cause: error) }
    try writeAtomically(Data((text + "\n").utf8), to: path)
  }
}
