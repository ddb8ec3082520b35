// What ranks share on a file system: vision features, and the records that say how far each rank is.
import Files
import Foundation
import HuggingFace
import Tensors

@testable import Batches
@testable import Collectives

extension FuzzTarget {
  private static let image = FeatureCache.Image(digest: "image", grid: GridTHW(t: 1, h: 4, w: 4))
  private static let cache = Result {
    try FeatureCache(
      folder: WorkFolder.path("features"), baseDigest: "base", precision: "fp32", conditions: "conditions",
      warn: { _ in })
  }

  static let shared: [FuzzTarget] = [
    sealed(
      "features-bytes",
      seeds: {
        let cache = try Self.cache.get()
        cache.write(Matrix((0..<12).map { Float($0) }, rows: 4, columns: 3), of: image)
        return [Array(try readFile(cache.path(of: image), maximumBytes: 1 << 20))]
      },
      use: { path in
        let cache = try Self.cache.get()
        require(rename(path, cache.path(of: image)) == 0)
        if let features = cache.read(image, rows: 4, columns: 3) {
          require(features.rows == 4 && features.columns == 3 && features.values.count == 12)
        }
      }),
    FuzzTarget(
      name: "heartbeat", dictionary: "json", format: .bytes,
      seeds: {
        var activity = Activity()
        (activity.phase, activity.work, activity.isWaiting) = ("training", "computing a of step 3", true)
        return [Heartbeat(rank: 1, number: 7, host: "node1", activity: activity).record]
      },
      read: { bytes in
        // The checksum is no secret: whoever writes there can write a right one.
        let text = Array((bytes.dropFirst(17).dropLast() + [UInt8](repeating: 0x20, count: Heartbeat.size)).prefix(494))
        let checked = Array("\(Heartbeat.checksum(text[...]))\t".utf8) + text + [0x0A]
        for record in [bytes, checked] {
          guard let beat = Heartbeat(record: record[...]) else { continue }
          let again = Heartbeat(record: beat.record[...])
          require(beat.record.count == Heartbeat.size && again?.rank == beat.rank && again?.number == beat.number)
        }
      }),
  ]
}
