// gzip and zstd streams unpacked into memory that the caller lends, recognized by their first bytes.
import CCompression

/// Why a compressed stream ended before its text did.
enum StreamFailure: Error, Equatable {
  /// The file ends in the middle of a stream.
  case cut
  /// Bytes that the format does not allow, or a checksum that does not hold; the library's words.
  case damaged(String)
}

/// A compressed file that is unpacked piece by piece, from its beginning to its end.
protocol CompressedStream: AnyObject {
  /// The format's name and the program that unpacks it, for messages.
  static var format: (name: String, program: String) { get }
  /// Fills the memory.
  /// - Returns: how many bytes were written: fewer than there is room for only at the end of the text.
  func unpack(into room: UnsafeMutableRawBufferPointer) throws(StreamFailure) -> Int
}

/// The stream that a file's bytes are; nil for a file that is not compressed. The bytes must outlive it.
func compressedStream(_ bytes: UnsafeRawBufferPointer) -> (any CompressedStream)? {
  if bytes.starts(with: [0x1F, 0x8B]) { return GzipStream(bytes) }
  // A frame, or one of those that are skipped, with which parallel compressors begin.
  let isSkipped = bytes.count >= 4 && bytes[0] & 0xF0 == 0x50 && bytes[1...3].elementsEqual([0x2A, 0x4D, 0x18])
  if bytes.starts(with: [0x28, 0xB5, 0x2F, 0xFD]) || isSkipped { return ZstdStream(bytes) }
  return nil
}

/// gzip (RFC 1952), one member after another.
final class GzipStream: CompressedStream {
  static let format = (name: "gzip", program: "gzip -d")
  private let input: UnsafeRawBufferPointer
  private var consumed = 0
  /// In one place, since zlib keeps its address.
  private let stream: UnsafeMutablePointer<z_stream>
  private var isBetweenMembers = false

  init(_ input: UnsafeRawBufferPointer) {
    self.input = input
    stream = .allocate(capacity: 1)
    stream.initialize(to: z_stream())
    // 15: the largest window; 16: gzip's header and checksum.
    let status = inflateInit2_(stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
    precondition(status == Z_OK, "zlib cannot start")
  }

  deinit {
    inflateEnd(stream)
    stream.deallocate()
  }

  func unpack(into room: UnsafeMutableRawBufferPointer) throws(StreamFailure) -> Int {
    var written = 0
    while written < room.count {
      if isBetweenMembers {
        guard consumed < input.count else { break }
        inflateReset(stream)
        isBetweenMembers = false
      }
      // zlib counts in 32 bits.
      let (given, free) = (min(input.count - consumed, 1 << 30), min(room.count - written, 1 << 30))
      stream.pointee.next_in = input.baseAddress.map {
        UnsafeMutablePointer(mutating: ($0 + consumed).assumingMemoryBound(to: UInt8.self))
      }
      stream.pointee.avail_in = UInt32(given)
      stream.pointee.next_out = room.baseAddress.map { ($0 + written).assumingMemoryBound(to: UInt8.self) }
      stream.pointee.avail_out = UInt32(free)
      let status = inflate(stream, Z_NO_FLUSH)
      consumed += given - Int(stream.pointee.avail_in)
      written += free - Int(stream.pointee.avail_out)
      switch status {
      case Z_OK: break
      case Z_STREAM_END: isBetweenMembers = true
      case Z_BUF_ERROR: throw .cut
      default: throw .damaged(stream.pointee.msg.map { String(cString: $0) } ?? "status \(status)")
      }
    }
    return written
  }
}

/// Zstandard (RFC 8878), one frame after another; a frame's window is at most 128 MiB, the library's own limit.
final class ZstdStream: CompressedStream {
  static let format = (name: "zstd", program: "zstd -d")
  private var input: ZSTD_inBuffer
  private let stream: OpaquePointer
  /// What the library still expects of the frame; 0 between frames.
  private var expected = 0

  init(_ bytes: UnsafeRawBufferPointer) {
    input = ZSTD_inBuffer(src: bytes.baseAddress, size: bytes.count, pos: 0)
    guard let stream = ZSTD_createDStream() else { preconditionFailure("libzstd cannot start") }
    self.stream = stream
  }

  deinit { ZSTD_freeDStream(stream) }

  func unpack(into room: UnsafeMutableRawBufferPointer) throws(StreamFailure) -> Int {
    var output = ZSTD_outBuffer(dst: room.baseAddress, size: room.count, pos: 0)
    while output.pos < output.size {
      if expected == 0, input.pos == input.size { break }
      let before = (input.pos, output.pos)
      expected = ZSTD_decompressStream(stream, &output, &input)
      guard ZSTD_isError(expected) == 0 else {
        throw .damaged(String(cString: ZSTD_getErrorName(expected)))
      }
      guard expected == 0 || (input.pos, output.pos) != before else { throw .cut }
    }
    return output.pos
  }
}
