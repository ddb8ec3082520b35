// Stored numbers as Float or Double: in place where the encoding is the same, otherwise converted.

extension StoredTensor {
  /// The tensor as a matrix without a copy, if it is stored as `Element`. Read-only: writing to it is a fault, since
  /// the file is mapped read-only.
  func inPlace<Element: Scalar>(rows: Int, columns: Int) -> Matrix<Element>? {
    guard Element.self == Float.self, type == .float32 else { return nil }
    let mutable = UnsafeMutableRawPointer(mutating: base).assumingMemoryBound(to: Element.self)
    return Matrix(viewing: mutable, rows: rows, columns: columns, owner: owner)
  }

  /// Converts `count` numbers from element `first` on; every encoding is exact in Float and Double.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  package func convert<Element: Scalar>(from first: Int, count: Int, into target: UnsafeMutablePointer<Element>) {
    precondition(first >= 0 && first + count <= self.count)
    switch type {
    case .float32:
      let source = base.assumingMemoryBound(to: Float.self) + first
      for i in 0..<count { target[i] = Element(source[i]) }
    case .bfloat16:
      let source = base.assumingMemoryBound(to: UInt16.self) + first
      for i in 0..<count { target[i] = Element(Float(bitPattern: UInt32(source[i]) << 16)) }
    case .float16:
      let source = base.assumingMemoryBound(to: UInt16.self) + first
      for i in 0..<count { target[i] = Element(Float(Float16(bitPattern: source[i]))) }
    }
  }

  /// All numbers as `Element`.
  package func values<Element: Scalar>() -> [Element] {
    [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
      if let start = buffer.baseAddress { convert(from: 0, count: count, into: start) }
      initialized = count
    }
  }
}
