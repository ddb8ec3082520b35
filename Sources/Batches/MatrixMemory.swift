// Matrices cached in bounded memory.
import Tensors

/// The matrices used last, as far as a bound allows.
struct MatrixMemory<Key: Hashable & Sendable>: Sendable {
  private var entries: [Key: (matrix: Matrix<Float>, lastUse: Int)] = [:]
  private var numbers = 0
  private var uses = 0
  private let maximumNumbers: Int

  init(bytes: Int) { maximumNumbers = bytes / MemoryLayout<Float>.stride }

  mutating func find(_ key: Key) -> Matrix<Float>? {
    uses += 1
    entries[key]?.lastUse = uses
    return entries[key]?.matrix
  }

  /// Drops what was used longest ago; what is larger than the whole bound is not kept.
  mutating func keep(_ matrix: Matrix<Float>, for key: Key) {
    let count = matrix.rows * matrix.columns
    guard count <= maximumNumbers, entries[key] == nil else { return }
    while numbers + count > maximumNumbers, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      entries[oldest.key] = nil
      numbers -= oldest.value.matrix.rows * oldest.value.matrix.columns
    }
    entries[key] = (matrix, uses)
    numbers += count
  }
}
