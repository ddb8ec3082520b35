// The two number types that layers are written for: Float trains, Double checks the same code by finite differences.
import CBLAS
import Foundation

// `public`, unlike the rest of the project: the compiler inlines an elementary function into other modules, where loops
// over it vectorize, only if it and its protocol are public.

/// A floating-point type with matrix multiplication and vectorisable elementary functions.
public protocol Scalar: BinaryFloatingPoint, Sendable {
  /// `C = alpha op(A) op(B) + beta C`, row-major (BLAS `gemm`).
  static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, _ m: Int, _ n: Int, _ k: Int, alpha: Self,
    _ a: UnsafePointer<Self>, _ lda: Int, _ b: UnsafePointer<Self>, _ ldb: Int, beta: Self,
    _ c: UnsafeMutablePointer<Self>, _ ldc: Int)
  /// Solves `op(A) X = B` in place of B for a lower triangular A with ones on its diagonal, row-major (BLAS `trsm`).
  static func trsm(
    _ transposeA: Transpose, _ m: Int, _ n: Int, _ a: UnsafePointer<Self>, _ lda: Int, _ b: UnsafeMutablePointer<Self>,
    _ ldb: Int)
  /// Dot product of two vectors.
  static func dot(_ n: Int, _ x: UnsafePointer<Self>, _ y: UnsafePointer<Self>) -> Self
  /// Sum of a vector in a fixed order.
  static func sum(_ n: Int, _ x: UnsafePointer<Self>) -> Self
  /// Largest element; `-infinity` for an empty vector.
  static func maximum(_ n: Int, _ x: UnsafePointer<Self>) -> Self
  /// `e^x`; Float's is a polynomial that loops over it vectorise.
  static func exponential(_ x: Self) -> Self
  static func naturalLogarithm(_ x: Self) -> Self
  static func errorFunction(_ x: Self) -> Self
  static func sine(_ x: Self) -> Self
  static func cosine(_ x: Self) -> Self
  /// `base^exponent`.
  static func power(_ base: Self, _ exponent: Self) -> Self
}

/// Whether a matrix enters a multiplication as it lies or transposed.
public enum Transpose: Sendable {
  case asIs, transposed
}

extension Float: Scalar {
  public static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, _ m: Int, _ n: Int, _ k: Int, alpha: Float,
    _ a: UnsafePointer<Float>, _ lda: Int, _ b: UnsafePointer<Float>, _ ldb: Int, beta: Float,
    _ c: UnsafeMutablePointer<Float>, _ ldc: Int
  ) {
    imagelora_blas_sgemm(
      transposeA == .transposed, transposeB == .transposed, Int64(m), Int64(n), Int64(k), alpha, a, Int64(lda), b,
      Int64(ldb), beta, c, Int64(ldc))
  }

  public static func trsm(
    _ transposeA: Transpose, _ m: Int, _ n: Int, _ a: UnsafePointer<Float>, _ lda: Int,
    _ b: UnsafeMutablePointer<Float>, _ ldb: Int
  ) {
    imagelora_blas_strsm(transposeA == .transposed, Int64(m), Int64(n), a, Int64(lda), b, Int64(ldb))
  }

  public static func dot(_ n: Int, _ x: UnsafePointer<Float>, _ y: UnsafePointer<Float>) -> Float {
    var total = reduce(n, .zero, { vector(x + $0) * vector(y + $0) }, +).total
    for i in n & ~15..<n { total += x[i] * y[i] }
    return total
  }

  public static func sum(_ n: Int, _ x: UnsafePointer<Float>) -> Float {
    var total = reduce(n, .zero, { vector(x + $0) }, +).total
    for i in n & ~15..<n { total += x[i] }
    return total
  }

  public static func maximum(_ n: Int, _ x: UnsafePointer<Float>) -> Float {
    let lanes = reduce(n, SIMD16(repeating: -.infinity), { vector(x + $0) }) { $0.replacing(with: $1, where: $1 .> $0) }
    var largest = lanes.largest
    for i in n & ~15..<n where x[i] > largest { largest = x[i] }
    return largest
  }

  /// Range reduction by ln 2 in two parts and a polynomial of degree 7 (Cephes `expf`), within 2 units in the last
  /// place; arguments are clamped to the range of normal results.
  @inlinable @inline(__always)
  public static func exponential(_ x: Float) -> Float {
    let clamped = Swift.min(Swift.max(x, -87.3), 88.7)
    let n = (clamped * 1.442_695_04).rounded(.toNearestOrEven)
    let r = clamped.addingProduct(n, -0.693_359_375).addingProduct(n, 2.121_944_4e-4)
    var p = Float(1.398_199_95e-3).addingProduct(1.987_569_15e-4, r)
    p = Float(8.333_451_9e-3).addingProduct(p, r)
    p = Float(4.166_579_6e-2).addingProduct(p, r)
    p = Float(1.666_666_55e-1).addingProduct(p, r)
    p = Float(0.5).addingProduct(p, r)
    p = 1 + r.addingProduct(p, r * r)
    return p * Float(bitPattern: UInt32(bitPattern: (Int32(n) &+ 127) &<< 23))
  }

  public static func naturalLogarithm(_ x: Float) -> Float { log(x) }
  public static func errorFunction(_ x: Float) -> Float { erf(x) }
  public static func sine(_ x: Float) -> Float { sin(x) }
  public static func cosine(_ x: Float) -> Float { cos(x) }
  public static func power(_ base: Float, _ exponent: Float) -> Float { pow(base, exponent) }
}

extension Double: Scalar {
  public static func gemm(
    _ transposeA: Transpose, _ transposeB: Transpose, _ m: Int, _ n: Int, _ k: Int, alpha: Double,
    _ a: UnsafePointer<Double>, _ lda: Int, _ b: UnsafePointer<Double>, _ ldb: Int, beta: Double,
    _ c: UnsafeMutablePointer<Double>, _ ldc: Int
  ) {
    imagelora_blas_dgemm(
      transposeA == .transposed, transposeB == .transposed, Int64(m), Int64(n), Int64(k), alpha, a, Int64(lda), b,
      Int64(ldb), beta, c, Int64(ldc))
  }

  public static func trsm(
    _ transposeA: Transpose, _ m: Int, _ n: Int, _ a: UnsafePointer<Double>, _ lda: Int,
    _ b: UnsafeMutablePointer<Double>, _ ldb: Int
  ) {
    imagelora_blas_dtrsm(transposeA == .transposed, Int64(m), Int64(n), a, Int64(lda), b, Int64(ldb))
  }

  public static func dot(_ n: Int, _ x: UnsafePointer<Double>, _ y: UnsafePointer<Double>) -> Double {
    (0..<n).reduce(0) { $0 + x[$1] * y[$1] }
  }

  public static func sum(_ n: Int, _ x: UnsafePointer<Double>) -> Double {
    UnsafeBufferPointer(start: x, count: n).reduce(0, +)
  }

  public static func maximum(_ n: Int, _ x: UnsafePointer<Double>) -> Double {
    UnsafeBufferPointer(start: x, count: n).max() ?? -.infinity
  }

  public static func exponential(_ x: Double) -> Double { exp(x) }
  public static func naturalLogarithm(_ x: Double) -> Double { log(x) }
  public static func errorFunction(_ x: Double) -> Double { erf(x) }
  public static func sine(_ x: Double) -> Double { sin(x) }
  public static func cosine(_ x: Double) -> Double { cos(x) }
  public static func power(_ base: Double, _ exponent: Double) -> Double { pow(base, exponent) }
}
