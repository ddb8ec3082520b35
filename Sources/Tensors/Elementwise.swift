// Elementwise kernels on whole matrices that no layer owns.

extension Matrix {
  /// Adds `other`, element by element.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func add(_ other: Matrix) {
    precondition(other.rows == rows && other.columns == columns)
    for index in 0..<rows {
      let (target, source) = (row(index), other.row(index))
      for j in 0..<columns { target[j] += source[j] }
    }
  }

  /// Adds one vector to every row.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func add(toEveryRow vector: [Element]) {
    precondition(vector.count == columns)
    vector.withUnsafeBufferPointer { bias in
      for index in 0..<rows {
        let target = row(index)
        for j in 0..<columns { target[j] += bias[j] }
      }
    }
  }

  /// Adds row i of `other` to row `indices[i]` of this matrix.
  package func scatterAdd(_ other: Matrix, at indices: [Int]) {
    precondition(other.rows == indices.count && other.columns == columns)
    for (source, target) in indices.enumerated() { rows(target..<target + 1).add(other.rows(source..<source + 1)) }
  }
}
