// A weight some rows at a time, for several multiplications with each part while it is in the processor's cache.

extension StoredMatrix {
  /// Numbers of a part: 4 MiB in bf16, 8 MiB in fp32.
  private static var spanNumbers: Int { 1 << 21 }

  /// Calls `body` with one part of the rows after the other, `[rows, in]`. What would be converted for each
  /// multiplication is converted once.
  /// - Parameters:
  ///   - numbers: how many a part has at most, unless it is a single row.
  ///   - body: may not keep the part.
  package func forEachSpan(numbers: Int? = nil, _ body: (_ rows: Range<Int>, _ part: StoredMatrix) -> Void) {
    let most = max(1, (numbers ?? Self.spanNumbers) / max(1, columns))
    let spans = spans(rows, atMost: most)
    let converts = precision == .float32 && tensor.type != .float32
    let scratch = converts ? Matrix<Float>(uninitialized: spans.first?.count ?? 0, columns) : nil
    for span in spans {
      guard let scratch else {
        body(span, self.rows(span))
        continue
      }
      for row in span { convert(row: row, columns: 0..<columns, into: scratch.row(row - span.lowerBound)) }
      let part = StoredTensor(
        name: tensor.name, type: .float32, shape: [span.count, columns], base: UnsafeRawPointer(scratch.base),
        owner: tensor.owner)
      body(span, StoredMatrix(part, precision: precision))
    }
    withExtendedLifetime(scratch) {}
  }
}
