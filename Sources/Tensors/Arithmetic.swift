// Which numbers the products with frozen weights are made of.
import COneDNN
import COpenBLAS

/// The arithmetic of products with frozen weights; everything else is fp32 always.
package enum Arithmetic: String, Sendable, CaseIterable {
  case float32 = "fp32"
  /// Both factors rounded to bf16, sums in fp32.
  case bfloat16 = "bf16"

  /// Whether this processor has bf16 instructions. Without them the same products are made of rounded fp32 numbers,
  /// which costs more than fp32 and gains nothing.
  package static var hasBFloat16Instructions: Bool { OneDNN.hasBFloat16Instructions }

  /// What this processor is best at for weights stored as `type`: fp32 files keep fp32 products.
  package static func automatic(stored type: ElementType) -> Arithmetic {
    type == .bfloat16 && hasBFloat16Instructions ? .bfloat16 : .float32
  }
}

/// How many threads products use in this process; a part of a run's identity, since it may change the last bits.
package func setProductThreads(_ count: Int) {
  precondition(count > 0)
  openblas_set_num_threads(Int32(count))
  omp_set_num_threads(Int32(count))
}
