// The compute precision of matrix multiplications with frozen weights and in attention, and their threads.
import CBLAS
import COneDNN

/// The compute precision of matrix multiplications with frozen weights and in attention; everything else is always
/// fp32.
package enum Precision: String, Sendable, CaseIterable {
  case float32 = "fp32"
  /// Both factors rounded to bf16, sums in fp32.
  case bfloat16 = "bf16"

  /// Whether oneDNN multiplies bf16 numbers by instructions of this processor. Without them bf16 is emulated: rounded
  /// fp32 numbers are multiplied, which is slower than fp32 and gains nothing.
  package static var hasBFloat16Instructions: Bool { OneDNN.hasBFloat16Instructions }

  /// Why they are not used, as the end of a sentence; nil where they are.
  package static var obstacleToBFloat16: String? { OneDNN.obstacleToBFloat16 }

  /// The fastest of this processor for weights stored as `type`: fp32 files keep fp32.
  package static func automatic(stored type: ElementType) -> Precision {
    type == .bfloat16 && hasBFloat16Instructions ? .bfloat16 : .float32
  }
}

/// Sets the threads of every matrix multiplication in this process; a part of a run's identity, since the number of
/// threads may change the last bits.
package func setGEMMThreads(_ count: Int) {
  precondition(count > 0)
  imagelora_blas_set_threads(Int32(count))
  imagelora_onednn_set_threads(Int32(count))
}
