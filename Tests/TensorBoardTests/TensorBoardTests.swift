import Foundation
import TestSupport
import Testing

@testable import TensorBoard

@Suite("Event files are TFRecords that TensorBoard reads")
struct TensorBoardTests {
  /// RFC 3720, appendix B.4, and the check value of the CRC catalogue.
  @Test func crc() {
    #expect(CRC32C.checksum([]) == 0)
    #expect(CRC32C.checksum(Array("123456789".utf8)) == 0xE306_9283)
    #expect(CRC32C.checksum([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.checksum([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.checksum(Array(0..<32)) == 0x46DD_794E)
    #expect(CRC32C.checksum((0..<32).reversed()) == 0x113F_DB5C)
    // TensorFlow's crc32c_test: masking is not idempotent and undone by the inverse.
    let masked = CRC32C.masked(Array("foo".utf8)) &- 0xA282_EAD8
    #expect(masked << 15 | masked >> 17 == CRC32C.checksum(Array("foo".utf8)))
  }

  /// Varints of one, two and ten bytes (Protocol Buffers' encoding guide has 150 as 96 01).
  @Test func varints() {
    func encoded(_ value: UInt64) -> [UInt8] {
      var message = ProtobufMessage()
      message.varint(1, value)
      return message.encoded
    }
    #expect(encoded(127) == [0x08, 0x7F] && encoded(150) == [0x08, 0x96, 0x01])
    #expect(encoded(.max) == [0x08] + [UInt8](repeating: 0xFF, count: 9) + [0x01])
  }

  @Test func recordsReadBack() throws {
    let folder = try TemporaryFolder()
    let writer = try TensorBoardWriter(directory: folder.path, after: 300, now: Date(timeIntervalSince1970: 1e9))
    try writer.add(
      step: 301, ["train/loss": 2.5, "train/learning_rate": 1e-5], now: Date(timeIntervalSince1970: 1e9 + 1.5))
    #expect(try #require(folder.names.first).hasPrefix("events.out.tfevents.1000000000."))
    let events = try records(of: writer.path).map(fields)
    #expect(events.count == 3)
    #expect(events.map { $0[1]?.first?.double } == [1e9, 1e9, 1e9 + 1.5])
    #expect(events[0][3]?.first?.text == "brain.Event:2")
    // SessionLog { status: START } at the step from which earlier files do not count.
    #expect(events[1][2]?.first?.integer == 301)
    #expect(try fields(#require(events[1][7]?.first?.bytes))[1]?.first?.integer == 1)
    #expect(events[2][2]?.first?.integer == 301)
    let summary = try fields(#require(events[2][5]?.first?.bytes))
    let values = try #require(summary[1]).map { try fields($0.bytes) }
    #expect(values.map { $0[1]?.first?.text } == ["train/loss", "train/learning_rate"])
    #expect(values.map { $0[2]?.first?.float } == [2.5, 1e-5])
  }

  /// A resumed run never touches what an earlier process wrote.
  @Test func aNewFileEveryTime() throws {
    let folder = try TemporaryFolder()
    let now = Date(timeIntervalSince1970: 1e9)
    let first = try TensorBoardWriter(directory: folder.path, after: 0, now: now)
    let bytes = try Data(contentsOf: URL(filePath: first.path))
    #expect(line { _ = try TensorBoardWriter(directory: folder.path, after: 4, now: now) }.contains("File exists"))
    _ = try TensorBoardWriter(directory: folder.path, after: 4, now: now + 1)
    #expect(folder.names.count == 2)
    #expect(try Data(contentsOf: URL(filePath: first.path)) == bytes)
    #expect(
      line { _ = try TensorBoardWriter(directory: folder.path("none"), after: 0) }
        .hasSuffix("cannot be written: No such file or directory (open)"))
  }

  // MARK: - A reader of its own

  private func records(of path: String) throws -> [[UInt8]] {
    var rest = Array(try Data(contentsOf: URL(filePath: path)))[...]
    func take(_ count: Int) throws -> [UInt8] {
      try #require(rest.count >= count)
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    func integer(_ bytes: [UInt8]) -> UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var records: [[UInt8]] = []
    while !rest.isEmpty {
      let length = try take(8)
      #expect(integer(try take(4)) == UInt64(CRC32C.masked(length)))
      records.append(try take(Int(integer(length))))
      #expect(integer(try take(4)) == UInt64(CRC32C.masked(records[records.count - 1])))
    }
    return records
  }

  private struct Field {
    var bytes: [UInt8]
    var integer: UInt64 { bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) } }
    var double: Double { Double(bitPattern: integer) }
    var float: Float { Float(bitPattern: UInt32(truncatingIfNeeded: integer)) }
    var text: String { String(decoding: bytes, as: UTF8.self) }
  }

  /// A message's fields by number, as little-endian bytes.
  private func fields(_ message: [UInt8]) throws -> [Int: [Field]] {
    var rest = message[...]
    func varint() throws -> UInt64 {
      var (value, shift): (UInt64, UInt64) = (0, 0)
      while true {
        let next = rest.popFirst()
        let byte = try #require(next)
        value |= UInt64(byte & 0x7F) << shift
        shift += 7
        if byte < 0x80 { return value }
      }
    }
    var found: [Int: [Field]] = [:]
    while !rest.isEmpty {
      let key = try varint()
      let count: Int
      switch key & 7 {
      case 0:
        let value = try varint()
        found[Int(key >> 3), default: []].append(Field(bytes: withUnsafeBytes(of: value.littleEndian, Array.init)))
        continue
      case 1: count = 8
      case 2: count = Int(try varint())
      default: count = 4
      }
      try #require(rest.count >= count)
      found[Int(key >> 3), default: []].append(Field(bytes: Array(rest.prefix(count))))
      rest = rest.dropFirst(count)
    }
    return found
  }
}
