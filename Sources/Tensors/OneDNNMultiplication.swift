// A matrix multiplication of one shape as oneDNN has prepared it, to be run with any matrices of that shape.
import COneDNN

/// One thread uses it at a time.
final class OneDNNMultiplication: @unchecked Sendable {
  /// What the code depends on.
  struct Shape: Hashable {
    /// Of the factors' numbers, as COneDNN counts types.
    let type: UInt32
    /// op(A) [m, k], op(B) [k, n], C [m, n]
    let m, n, k: Int
    /// Distances between rows of A, B and C as they lie in memory.
    let strides: SIMD4<Int>
    let transposesA, transposesB, accumulates: Bool
  }

  private let shape: Shape
  private let prepared: OpaquePointer

  init(_ shape: Shape) {
    var request = imagelora_onednn_shape(
      type: imagelora_onednn_type(shape.type), m: Int64(shape.m), n: Int64(shape.n), k: Int64(shape.k),
      stride_a: Int64(shape.strides[0]), stride_b: Int64(shape.strides[1]), stride_c: Int64(shape.strides[2]),
      transposes_a: shape.transposesA, transposes_b: shape.transposesB, accumulates: shape.accumulates)
    var failure = imagelora_onednn_failure()
    guard let prepared = imagelora_onednn_prepare(&request, &failure) else { stop(failure, shape) }
    (self.prepared, self.shape) = (prepared, shape)
  }

  deinit { imagelora_onednn_release(prepared) }

  func run(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ c: UnsafeMutableRawPointer) {
    var failure = imagelora_onednn_failure()
    if !imagelora_onednn_run(prepared, a, b, c, &failure) { stop(failure, shape) }
  }
}

/// Shapes are checked before; what remains is a failed allocation, from which the program cannot go on. Checked in
/// every build: preconditions are not, in this module.
private func stop(_ failure: imagelora_onednn_failure, _ shape: OneDNNMultiplication.Shape) -> Never {
  let what = failure.what.map { String(cString: $0) } ?? "failed"
  fatalError(
    "oneDNN: GEMM of \(shape.m)x\(shape.k) and \(shape.k)x\(shape.n): \(what): status \(failure.status)")
}
