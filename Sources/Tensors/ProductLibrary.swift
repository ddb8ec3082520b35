// What computes the products on this machine, for those who keep results of them.
import COpenBLAS
import Glibc

/// OpenBLAS with its build and the kernels that it chose for this processor, and the mathematical library's version:
/// where they differ, the last bits of results may.
public var productLibrary: String {
  let (build, kernels) = (String(cString: openblas_get_config()), String(cString: openblas_get_corename()))
  var mathematics = [CChar](repeating: 0, count: 64)
  confstr(Int32(_CS_GNU_LIBC_VERSION), &mathematics, mathematics.count)
  let version = String(decoding: mathematics.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
  return "\(build.split(separator: " ").joined(separator: " ")), kernels \(kernels), \(version)"
}
