// Compressed files for tests, through the libraries that the reader also uses.
import CCompression
import Foundation

/// One gzip member.
func gzipped(_ text: [UInt8]) -> Data {
  var stream = z_stream()
  precondition(
    deflateInit2_(
      &stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK)
  defer { deflateEnd(&stream) }
  var text = text
  var packed = [UInt8](repeating: 0, count: Int(deflateBound(&stream, UInt(text.count))))
  return text.withUnsafeMutableBufferPointer { input in
    packed.withUnsafeMutableBufferPointer { output in
      (stream.next_in, stream.avail_in) = (input.baseAddress, UInt32(input.count))
      (stream.next_out, stream.avail_out) = (output.baseAddress, UInt32(output.count))
      precondition(deflate(&stream, Z_FINISH) == Z_STREAM_END)
      return Data(output.prefix(Int(stream.total_out)))
    }
  }
}

/// One zstd frame with a checksum.
func zstandard(_ text: [UInt8]) -> Data {
  let context = ZSTD_createCCtx()
  defer { ZSTD_freeCCtx(context) }
  ZSTD_CCtx_setParameter(context, ZSTD_c_checksumFlag, 1)
  var packed = [UInt8](repeating: 0, count: ZSTD_compressBound(text.count))
  let count = ZSTD_compress2(context, &packed, packed.count, text, text.count)
  precondition(ZSTD_isError(count) == 0)
  return Data(packed.prefix(count))
}
