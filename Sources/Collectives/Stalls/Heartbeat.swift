// What a rank tells the others while it works, as a record of a file that all of them read.
import Files
import Foundation

/// One rank's record.
struct Heartbeat: Sendable, Equatable {
  /// Bytes of a record; rank r's begins at r times as many.
  static let size = 512

  var rank: Int
  /// Grows with every record.
  var number: Int
  var host: String
  var activity: Activity

  /// One line of text: the fields between tabs, a checksum first, filled up with spaces.
  var record: [UInt8] {
    let fields = [
      "\(rank)", "\(number)", "\(activity.progress)", "\(activity.arrivals)", activity.isWaiting ? "1" : "0",
      "\(Int(activity.seconds.clamped))", "\(Int(activity.longest.clamped))", Self.field(host, 80),
      Self.field(activity.phase, 40), Self.field(activity.work ?? "", 200),
    ]
    var text = Array(fields.joined(separator: "\t").utf8)
    text += [UInt8](repeating: 0x20, count: Self.size - 18 - text.count)
    return Array("\(Self.checksum(text[...]))\t".utf8) + text + [0x0A]
  }

  init(rank: Int, number: Int, host: String, activity: Activity) {
    (self.rank, self.number, self.host, self.activity) = (rank, number, host, activity)
  }

  /// Nil for a record that was never written, or was read while it was written.
  init?(record: ArraySlice<UInt8>) {
    guard record.count == Self.size, record.last == 0x0A else { return nil }
    let text = record.dropFirst(17).dropLast()
    guard record.prefix(17).elementsEqual("\(Self.checksum(text))\t".utf8) else { return nil }
    let fields = String(decoding: text, as: UTF8.self).split(separator: "\t", omittingEmptySubsequences: false)
    let numbers = fields.prefix(7).compactMap { Int($0) }
    guard fields.count == 10, numbers.count == 7 else { return nil }
    (rank, number, host) = (numbers[0], numbers[1], String(fields[7]))
    activity = Activity()
    (activity.progress, activity.arrivals, activity.isWaiting) = (numbers[2], numbers[3], numbers[4] == 1)
    (activity.seconds, activity.longest) = (Double(numbers[5]), Double(numbers[6]))
    activity.phase = String(fields[8])
    let work = fields[9].trimmingCharacters(in: [" "])
    activity.work = work.isEmpty ? nil : work
  }

  /// A text without characters of control and of at most so many bytes.
  private static func field(_ text: String, _ limit: Int) -> String {
    var field = String.UnicodeScalarView()
    var bytes = 0
    for scalar in text.unicodeScalars {
      bytes += UTF8.width(scalar)
      guard bytes <= limit else { break }
      field.append(scalar.value < 0x20 ? " " : scalar)
    }
    return String(field)
  }

  /// FNV-1a in 16 digits: it finds records that were cut or mixed.
  static func checksum(_ bytes: ArraySlice<UInt8>) -> String {
    let hash = bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}

extension Double {
  fileprivate var clamped: Double { isFinite ? Swift.max(0, Swift.min(self, 1e15)) : 0 }
}
