// Which math libraries compute on this machine, for caches of their results.
import CBLAS
import COneDNN
import Glibc

/// The BLAS with its build and the kernels that it chose for this processor, the C library's version, and oneDNN with
/// its version and instruction set: where one of them differs, the last bits of results may.
///
/// Asked once: OpenBLAS composes its answer in a buffer that all threads share.
package let mathLibrary: String = {
  let blas = text(Int(IMAGELORA_BLAS_TEXT)) { imagelora_blas_describe($0) }
  let version = text(64) { _ = confstr(Int32(_CS_GNU_LIBC_VERSION), $0, 64) }
  let oneDNN = text(Int(IMAGELORA_ONEDNN_TEXT)) { imagelora_onednn_describe($0) }
  return "\(blas.split(separator: " ").joined(separator: " ")), \(version), \(oneDNN)"
}()

/// What a C function writes into room for `capacity` bytes, up to its closing 0.
private func text(_ capacity: Int, _ write: (UnsafeMutablePointer<CChar>) -> Void) -> String {
  var bytes = [CChar](repeating: 0, count: capacity)
  bytes.withUnsafeMutableBufferPointer { if let start = $0.baseAddress { write(start) } }
  return String(decoding: bytes.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
}
