import Testing

@testable import Tensors

@Suite("Products with a stored weight")
struct StoredMatrixTests {
  /// Wider and higher than a tile: products tile by tile are those with the same numbers in fp32.
  @Test(arguments: [ElementType.bfloat16, .float16]) func tiledProducts(type: ElementType) {
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

  /// bf16 products are those of rounded factors, summed in fp32, whether the processor has instructions for them or
  /// rounded fp32 numbers stand for them; weights of every encoding.
  @Test(arguments: [ElementType.bfloat16, .float16, .float32]) func bfloat16Products(type: ElementType) {
    let (out, columns, R) = (1040, 37, 5)
    var numbers = Numbers(type)
    let values = numbers.array(out * columns)
    let weight = StoredMatrix(encoded(values, type, [out, columns]), arithmetic: .bfloat16)
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

  /// In fp32, which every processor has; rows of all three lie with gaps between them.
  @Test(arguments: [Transpose.asIs, .transposed], [false, true]) func oneDNN(transpose: Transpose, accumulate: Bool) {
    var numbers = Numbers()
    let x = numbers.matrix(4, 40).columns(8..<24)
    let w = transpose == .asIs ? numbers.matrix(16, 30).columns(2..<26) : numbers.matrix(24, 19).columns(1..<17)
    let whole = numbers.matrix(4, 50)
    let before = Matrix(whole.values, rows: 4, columns: 50)
    let y = whole.columns(3..<27)
    OneDNN.multiply(
      4, 24, 16, x.base, x.stride, w.base, transpose, w.stride, accumulate: accumulate, y.base, y.stride)
    let expected = reference(x, w, transpose, adding: accumulate ? before.columns(3..<27) : nil)
    #expect(largestDifference(y.values, expected) <= 1e-5)
    for i in 0..<4 {
      #expect(whole.row(i)[2] == before.row(i)[2] && whole.row(i)[27] == before.row(i)[27])
    }
  }

  @Test func doubleStaysDouble() {
    var numbers = Numbers()
    let weight = StoredMatrix(encoded(numbers.array(12), .float32, [3, 4]), arithmetic: .bfloat16)
    let x = Matrix([0.1, 0.2, 0.3, 1e-9], rows: 1, columns: 4)
    let exact = StoredMatrix(weight.tensor).timesTransposed(x)
    #expect(weight.timesTransposed(x).values == exact.values)
  }
}
