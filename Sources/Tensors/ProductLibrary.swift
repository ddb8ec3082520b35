// What computes the products on this machine, for those who keep results of them.
import COneDNN
import COpenBLAS
import Glibc

/// OpenBLAS and oneDNN, the former with its build and the kernels that it chose for this processor, and the
/// mathematical library's version: where they differ, the last bits of results may.
public var productLibrary: String {
  let (build, kernels) = (String(cString: openblas_get_config()), String(cString: openblas_get_corename()))
  var mathematics = [CChar](repeating: 0, count: 64)
  confstr(Int32(_CS_GNU_LIBC_VERSION), &mathematics, mathematics.count)
  let version = String(decoding: mathematics.prefix { $0 != 0 }.map(UInt8.init), as: UTF8.self)
  let oneDNN = dnnl_version().pointee
  return """
    \(build.split(separator: " ").joined(separator: " ")), kernels \(kernels), \(version), oneDNN \(oneDNN.major).\
    \(oneDNN.minor).\(oneDNN.patch) with instructions \(dnnl_get_effective_cpu_isa().rawValue)
    """
}
