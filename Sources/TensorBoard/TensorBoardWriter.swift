// TensorBoard's event files: TFRecords of Event messages (tensorflow/core/util/event.proto), encoded here.
import Files
import Foundation
import Glibc

/// Appends scalars to an event file of its own.
package final class TensorBoardWriter {
  package let path: String
  private let file: FileHandle

  /// Starts a new file in a folder; entries of steps after `step` in other files there become invalid.
  /// - Throws: `FileError` if it cannot be written.
  package init(directory: String, after step: Int, now: Date = .now) throws {
    var name = [CChar](repeating: 0, count: 256)
    let named = gethostname(&name, name.count - 1) == 0
    let host = named ? String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self) : "host"
    // TensorBoard reads a folder's files in the order of their names, so the seconds come first.
    path = "\(directory)/events.out.tfevents.\(Int(now.timeIntervalSince1970)).\(host).\(getpid())"
    let descriptor = Glibc.open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else {
      throw FileError.unwritable(path, cause: SystemError.last("open"))
    }
    file = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    try append(event(now) { $0.bytes(3, Array("brain.Event:2".utf8)) })
    // SessionLog START: readers drop what earlier files have from this step on, as a resumed run computes it again.
    var session = ProtobufMessage()
    session.varint(1, 1)
    try append(
      event(now) {
        $0.varint(2, UInt64(step + 1))
        $0.bytes(7, session.encoded)
      })
  }

  /// One event with some scalars of a step.
  /// - Throws: `FileError` if it cannot be written.
  package func add(step: Int, _ scalars: KeyValuePairs<String, Double>, now: Date = .now) throws {
    var summary = ProtobufMessage()
    for (tag, value) in scalars {
      var scalar = ProtobufMessage()
      scalar.bytes(1, Array(tag.utf8))
      scalar.fixed32(2, Float(value).bitPattern)
      summary.bytes(1, scalar.encoded)
    }
    try append(
      event(now) {
        $0.varint(2, UInt64(step))
        $0.bytes(5, summary.encoded)
      })
  }

  private func event(_ now: Date, _ fill: (inout ProtobufMessage) -> Void) -> [UInt8] {
    var event = ProtobufMessage()
    event.fixed64(1, now.timeIntervalSince1970.bitPattern)
    fill(&event)
    return event.encoded
  }

  /// One write per record: a reader meanwhile, or after a crash, sees complete records and perhaps a truncated last
  /// one.
  private func append(_ event: [UInt8]) throws {
    do {
      try file.write(contentsOf: TFRecord.framed(event))
    } catch {
      throw FileError.unwritable(path, cause: error)
    }
  }
}

/// The framing of TensorFlow's record files.
enum TFRecord {
  /// length, masked CRC of it, data, masked CRC of them; little-endian.
  static func framed(_ data: [UInt8]) -> [UInt8] {
    let length = bytes(UInt64(data.count))
    return length + bytes(CRC32C.masked(length)) + data + bytes(CRC32C.masked(data))
  }

  private static func bytes(_ value: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: value.littleEndian, Array.init)
  }
}

/// The CRC of Castagnoli's polynomial (RFC 3720, appendix B.4).
enum CRC32C {
  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
  }

  static func checksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~0) { crc, byte in crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)] }
  }

  /// Rotated and shifted, so that a CRC of data which hold CRCs is not a weak one (TensorFlow's crc32c.h).
  static func masked(_ bytes: [UInt8]) -> UInt32 {
    let crc = checksum(bytes)
    return (crc >> 15 | crc << 17) &+ 0xA282_EAD8
  }
}

/// Protocol Buffers' wire format, as far as events need it.
struct ProtobufMessage {
  private(set) var encoded: [UInt8] = []

  mutating func varint(_ field: Int, _ value: UInt64) {
    key(field, wireType: 0)
    append(value)
  }

  mutating func fixed64(_ field: Int, _ value: UInt64) {
    key(field, wireType: 1)
    encoded += withUnsafeBytes(of: value.littleEndian, Array.init)
  }

  /// A string, or a message in a message.
  mutating func bytes(_ field: Int, _ value: [UInt8]) {
    key(field, wireType: 2)
    append(UInt64(value.count))
    encoded += value
  }

  mutating func fixed32(_ field: Int, _ value: UInt32) {
    key(field, wireType: 5)
    encoded += withUnsafeBytes(of: value.littleEndian, Array.init)
  }

  private mutating func key(_ field: Int, wireType: UInt64) { append(UInt64(field) << 3 | wireType) }

  /// Seven bits a byte, the lowest first.
  private mutating func append(_ value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      encoded.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    encoded.append(UInt8(rest))
  }
}
