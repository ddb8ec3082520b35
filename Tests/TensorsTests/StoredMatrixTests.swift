import Testing

@testable import Tensors

@Suite("Matrix multiplication with a stored weight")
struct StoredMatrixTests {
  /// Wider and higher than a tile: tile by tile the results are those with the same numbers in fp32.
  @Test(arguments: [ElementType.bfloat16, .float16]) func byTiles(type: ElementType) {
    let (out, columns, R) = (1700, 1100, 3)
    var numbers = Numbers(type)
    let values = numbers.array(out * columns)
    let half = StoredMatrix(encoded(values, type, [out, columns]))
    let single = StoredMatrix(encoded(values, .float32, [out, columns]))
    let (x, dy) = (numbers.matrix(R, columns), numbers.matrix(R, out))
    let (y, expectedY) = (half.timesTransposed(x), single.timesTransposed(x))
    for (a, b) in zip(y.values, expectedY.values) { #expect(abs(a - b) <= 1e-4) }
    let (dx, expectedDx) = (Matrix<Float>(uninitialized: R, columns), Matrix<Float>(uninitialized: R, columns))
    half.times(dy, into: dx, accumulate: false)
    single.times(dy, into: expectedDx, accumulate: false)
    for (a, b) in zip(dx.values, expectedDx.values) { #expect(abs(a - b) <= 1e-4) }
    half.times(dy, into: dx, accumulate: true)
    for (a, b) in zip(dx.values, expectedDx.values) { #expect(abs(a - 2 * b) <= 2e-4) }
    let rows: Matrix<Float> = half.gathering([1699, 0])
    #expect(rows.values == Array(values[(1699 * columns)...]) + Array(values[..<columns]))
  }

  /// Parts of the rows multiply as the whole weight does.
  @Test(arguments: [ElementType.bfloat16, .float16, .float32], [Precision.float32, .bfloat16])
  func partsOfTheRows(type: ElementType, precision: Precision) {
    let (out, columns, R) = (103, 40, 3)
    var numbers = Numbers(type)
    let weight = StoredMatrix(encoded(numbers.array(out * columns), type, [out, columns]), precision: precision)
    let (x, dy) = (numbers.matrix(R, columns), numbers.matrix(R, out))
    let (y, dx) = (Matrix<Float>(zeros: R, out), Matrix<Float>(zeros: R, columns))
    var ends: [Int] = []
    weight.forEachSpan(numbers: 10 * columns) { rows, part in
      y.columns(rows).assign(part.timesTransposed(x))
      part.times(dy.columns(rows), into: dx, accumulate: true)
      ends.append(rows.upperBound)
    }
    #expect(ends == [10, 20, 30, 40, 50, 60, 70, 80, 90, 100, 103])
    let whole = Matrix<Float>(uninitialized: R, columns)
    weight.times(dy, into: whole, accumulate: false)
    #expect(largestDifference(y.values, weight.timesTransposed(x).values.map(Double.init)) <= 1e-5)
    #expect(largestDifference(dx.values, whole.values.map(Double.init)) <= 1e-4)
  }

  /// In bf16 the factors are rounded and the sums are fp32, whether the processor has bf16 instructions or they are
  /// emulated; weights of every encoding.
  @Test(arguments: [ElementType.bfloat16, .float16, .float32]) func bfloat16(type: ElementType) {
    let (out, columns, R) = (1040, 37, 5)
    var numbers = Numbers(type)
    let values = numbers.array(out * columns)
    let weight = StoredMatrix(encoded(values, type, [out, columns]), precision: .bfloat16)
    let rounded = Matrix(values, rows: out, columns: columns).roundedToBFloat16
    var inputs = Numbers()
    let (x, dy) = (inputs.matrix(R, 3 * columns).columns(columns..<2 * columns), inputs.matrix(R, out))

    let y = weight.timesTransposed(x)
    #expect(largestDifference(y.values, reference(x.roundedToBFloat16, rounded, .transposed)) <= 1e-5)
    #expect(largestDifference(y.values, reference(x, rounded, .transposed)) > 1e-3, "rounding shows")

    let base = inputs.matrix(R, columns)
    let sum = Matrix(base.values, rows: R, columns: columns)
    weight.times(dy, into: sum, accumulate: true)
    #expect(largestDifference(sum.values, reference(dy.roundedToBFloat16, rounded, .asIs, adding: base)) <= 1e-4)
  }

  /// A part multiplies as the same numbers alone do, and its parts as parts of these.
  @Test(arguments: [ElementType.bfloat16, .float16, .float32], Precision.allCases)
  func views(type: ElementType, precision: Precision) {
    let (out, columns, R) = (21, 34, 3)
    var numbers = Numbers(type)
    let whole = Matrix(numbers.array(out * columns), rows: out, columns: columns)
    let weight = StoredMatrix(encoded(whole.values, type, [out, columns]), precision: precision)
    for (rows, range) in [(4..<out, 0..<columns), (0..<out, 5..<33), (2..<20, 7..<columns)] {
      let part = weight.columns(range).rows(rows)
      let own = whole.columns(range).rows(rows)
      let alone = StoredMatrix(encoded(own.values, type, [own.rows, own.columns]), precision: precision)
      let (x, dy) = (numbers.matrix(R, own.columns), numbers.matrix(R, own.rows))
      #expect(part.timesTransposed(x).values == alone.timesTransposed(x).values)
      let (dx, expected) = (numbers.matrix(R, own.columns), Matrix<Float>(uninitialized: R, own.columns))
      expected.assign(dx)
      part.times(dy, into: dx, accumulate: true)
      alone.times(dy, into: expected, accumulate: true)
      #expect(dx.values == expected.values)
      let gathered: Matrix<Float> = part.gathering([1, 0])
      #expect(gathered.values == own.gathering([1, 0]).values)
      var spans: [Float] = []
      part.forEachSpan(numbers: 5 * own.columns) { spans += $1.timesTransposed(x).columns(0..<1).values }
      #expect(spans.count == R * ((own.rows + 4) / 5))
    }
  }

  /// Outputs, inputs and rows: single ones, odd ones, a batch of 315 tokens, as many outputs as change oneDNN's choice.
  static let shapes = [
    (1, 1, 1), (1, 64, 3), (64, 1, 2), (3, 2, 1), (33, 31, 17), (64, 64, 64), (130, 65, 1), (40, 48, 315),
    (257, 130, 63), (515, 37, 3), (520, 33, 260), (33, 515, 3),
  ]

  /// The weight ends where mapped memory does; what is read and written are columns of wider matrices, but for y, which
  /// is new. In fp32, which every processor multiplies, oneDNN's wrapper takes the same shapes below.
  @Test(arguments: [ElementType.bfloat16, .float16, .float32], shapes)
  func bfloat16Shapes(type: ElementType, shape: (out: Int, columns: Int, rows: Int)) throws {
    let (out, columns, R) = shape
    // Of sums of up to 257 terms; longer ones round more often.
    let tolerance = 1e-5 * max(1, Double(max(out, columns)) / 257)
    var numbers = Numbers(type)
    let values = numbers.array(out * columns)
    let weight = StoredMatrix(try storedLast(values, type, [out, columns]), precision: .bfloat16)
    let rounded = Matrix(values, rows: out, columns: columns).roundedToBFloat16
    var inputs = Numbers()
    let x = inputs.matrix(R, columns + 3).columns(1..<columns + 1)
    let y = weight.timesTransposed(x)
    #expect(largestDifference(y.values, reference(x.roundedToBFloat16, rounded, .transposed)) <= tolerance)

    let dy = inputs.matrix(R, out + 5).columns(5..<out + 5)
    for accumulate in [false, true] {
      let whole = inputs.matrix(R, columns + 2)
      let before = Matrix(whole.values, rows: R, columns: columns + 2)
      let base = before.columns(1..<columns + 1)
      weight.times(dy, into: whole.columns(1..<columns + 1), accumulate: accumulate)
      let expected = reference(dy.roundedToBFloat16, rounded, .asIs, adding: accumulate ? base : nil)
      #expect(largestDifference(whole.columns(1..<columns + 1).values, expected) <= tolerance)
      for i in 0..<R {
        #expect(whole.row(i)[0] == before.row(i)[0] && whole.row(i)[columns + 1] == before.row(i)[columns + 1])
      }
      let dense = Matrix(base.values, rows: R, columns: columns)
      weight.times(dy, into: dense, accumulate: accumulate)
      #expect(largestDifference(dense.values, expected) <= tolerance, "rows without gaps")
    }
  }

  /// In fp32, which every processor multiplies; B ends where mapped memory does, rows of A and C have gaps between
  /// them. A build without oneDNN has no such multiplications.
  @Test(arguments: OneDNN.isUsable ? [Transpose.asIs, .transposed] : [], shapes)
  func oneDNN(transpose: Transpose, shape: (n: Int, k: Int, m: Int)) throws {
    let (n, k, m) = shape
    var numbers = Numbers()
    let x = numbers.matrix(m, k + 4).columns(3..<k + 3)
    let (rows, columns, gap) = transpose == .asIs ? (k, n, 2) : (n, k, 1)
    let stored = Matrix(numbers.array(rows * (columns + gap)), rows: rows, columns: columns + gap)
    let last = try storedLast(stored.values, .float32, [rows, columns + gap])
    let w = stored.columns(gap..<columns + gap)
    for accumulate in [false, true] {
      let whole = numbers.matrix(m, n + 4)
      let before = Matrix(whole.values, rows: m, columns: n + 4)
      let y = whole.columns(3..<n + 3)
      let factors = (
        GEMMOperand(x.base, rows: m, columns: k, stride: x.stride),
        GEMMOperand(last.base.assumingMemoryBound(to: Float.self), rows: rows, columns: columns + gap)
          .columns(gap..<columns + gap)
      )
      OneDNN.multiply(factors.0, .asIs, factors.1, transpose, into: y, accumulate: accumulate)
      let expected = reference(x, w, transpose, adding: accumulate ? before.columns(3..<n + 3) : nil)
      #expect(largestDifference(y.values, expected) <= 1e-5)
      for i in 0..<m {
        #expect(whole.row(i)[2] == before.row(i)[2] && whole.row(i)[n + 3] == before.row(i)[n + 3])
      }
    }
  }

  @Test func doubleStaysDouble() {
    var numbers = Numbers()
    let weight = StoredMatrix(encoded(numbers.array(12), .float32, [3, 4]), precision: .bfloat16)
    let x = Matrix([0.1, 0.2, 0.3, 1e-9], rows: 1, columns: 4)
    let exact = StoredMatrix(weight.tensor).timesTransposed(x)
    #expect(weight.timesTransposed(x).values == exact.values)
  }
}
