// Which math libraries compute on this machine, for caches of their results.
import COneDNN
import COpenBLAS
import Glibc

/// OpenBLAS with its build and the kernels that it chose for this processor, the C library's version, and oneDNN with
/// its version and instruction set: where one of them differs, the last bits of results may.
///
/// Asked once: OpenBLAS composes its answer in a buffer that all threads share.
package let mathLibrary: String = {
  let (build, kernels) = (String(cString: openblas_get_config()), String(cString: openblas_get_corename()))
  var libc = [CChar](repeating: 0, count: 64)
  confstr(Int32(_CS_GNU_LIBC_VERSION), &libc, libc.count)
  let version = String(decoding: libc.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
  let oneDNN = dnnl_version().pointee
  return """
    \(build.split(separator: " ").joined(separator: " ")), kernels \(kernels), \(version), oneDNN \(oneDNN.major).\
    \(oneDNN.minor).\(oneDNN.patch) with instructions \(dnnl_get_effective_cpu_isa().rawValue)
    """
}()
