// Matrix multiplication of bf16 numbers with fp32 accumulation, by oneDNN.
import COneDNN
import Synchronization

/// Numbers that oneDNN multiplies.
protocol OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { get }
}

/// The bits of a bf16 number.
extension UInt16: OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { dnnl_bf16 }
}

/// Every processor multiplies these, so that tests of all shapes and strides run everywhere.
extension Float: OneDNNNumber {
  static var oneDNNType: dnnl_data_type_t { dnnl_f32 }
}

/// oneDNN on the CPU.
enum OneDNN {
  /// Whether this processor multiplies bf16 numbers itself (AVX-512 BF16 or AMX); elsewhere oneDNN refuses bf16 or is
  /// slow with it. `DNNL_MAX_CPU_ISA` narrows it, as everywhere in oneDNN.
  static let hasBFloat16Instructions: Bool = {
    let isa = dnnl_get_effective_cpu_isa().rawValue
    return isa & dnnl_cpu_isa_avx512_core_bf16.rawValue == dnnl_cpu_isa_avx512_core_bf16.rawValue
  }()

  /// `C = op(A) op(B)` (`+ C` when `accumulate`).   op(A) [m, k], op(B) [k, n], C fp32 [m, n]
  /// - Precondition: the shapes agree and no dimension is 0.
  static func multiply<Number: OneDNNNumber>(
    _ a: GEMMOperand<Number>, _ transposeA: Transpose, _ b: GEMMOperand<Number>, _ transposeB: Transpose,
    into c: Matrix<Float>, accumulate: Bool
  ) {
    let (m, k) = transposeA == .asIs ? (a.rows, a.columns) : (a.columns, a.rows)
    let (kB, n) = transposeB == .asIs ? (b.rows, b.columns) : (b.columns, b.rows)
    precondition(
      k == kB && c.rows == m && c.columns == n, "GEMM of \(m)x\(k) and \(kB)x\(n) into \(c.rows)x\(c.columns)")
    let shape = OneDNNMultiplication.Shape(
      type: Number.oneDNNType.rawValue, m: m, n: n, k: k, strides: SIMD4(a.stride, b.stride, c.stride, 0),
      transposesA: transposeA == .transposed, transposesB: transposeB == .transposed, accumulates: accumulate)
    let multiplication = taken(shape) ?? OneDNNMultiplication(shape)
    multiplication.run(a.base, b.base, c.base)
    idle.withLock { idle in
      // Lengths of examples vary: what has collected is let go at once, which is rare and cheap.
      if idle.count >= mostIdle { idle.removeAll() }
      idle[shape, default: []].append(multiplication)
    }
  }

  /// Multiplications that no thread is using, by shape: making one takes as long as a small one runs.
  private static let idle = Mutex<[OneDNNMultiplication.Shape: [OneDNNMultiplication]]>([:])
  private static let mostIdle = 4096

  private static func taken(_ shape: OneDNNMultiplication.Shape) -> OneDNNMultiplication? {
    idle.withLock { $0[shape]?.popLast() }
  }
}
