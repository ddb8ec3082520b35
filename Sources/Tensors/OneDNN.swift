// Matrix multiplication of bf16 numbers with fp32 accumulation, by oneDNN.
import COneDNN
import Synchronization

/// Numbers that oneDNN multiplies.
protocol OneDNNNumber {
  static var oneDNNType: imagelora_onednn_type { get }
}

/// The bits of a bf16 number.
extension UInt16: OneDNNNumber {
  static var oneDNNType: imagelora_onednn_type { IMAGELORA_ONEDNN_BF16 }
}

/// Every processor multiplies these, so that tests of all shapes and strides run everywhere.
extension Float: OneDNNNumber {
  static var oneDNNType: imagelora_onednn_type { IMAGELORA_ONEDNN_FP32 }
}

/// oneDNN on the CPU.
enum OneDNN {
  /// Whether there is a oneDNN that multiplies with this program's memory and threads; without one nothing may be
  /// multiplied here.
  static let isUsable = imagelora_onednn_is_usable()

  /// Why bf16 would be slow here, as the end of a sentence; nil where oneDNN multiplies bf16 numbers by instructions of
  /// this processor for them. The library is asked. `DNNL_MAX_CPU_ISA` narrows it, as everywhere in oneDNN.
  static let obstacleToBFloat16: String? = imagelora_onednn_obstacle().map { String(cString: $0) }

  static let hasBFloat16Instructions = obstacleToBFloat16 == nil

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
