// Exact sums against computations that need no rounding, and in every order.
import Testing

@testable import Collectives

@Suite("An exact sum is the correctly rounded sum, whatever the order")
struct ExactSumTests {
  private func sum(_ values: [Float]) -> ExactSum {
    var sum = ExactSum(count: 1)
    for value in values { withUnsafePointer(to: value) { sum.add(UnsafeBufferPointer(start: $0, count: 1), at: 0) } }
    return sum
  }

  /// Every Float of at least 2^-57 and under 2^31, by exponent and some significands, comes back as it went in.
  @Test func singleValuesAreExact() {
    for exponent in -57...30 {
      for significand in [1.0, 1.5, 1.25, 0x1.000002p0, 0x1.fffffep0] as [Float] {
        let value = Float(sign: .plus, exponent: exponent, significand: significand)
        #expect(sum([value]).values(0..<1) == [value] && sum([-value]).values(0..<1) == [-value])
        #expect(sum([value]).value(at: 0) == Double(value))
      }
    }
  }

  @Test func smallValuesAreRoundedToTheNearestUnitTiesToEven() {
    let unit: Float = 0x1p-80
    for (units, rounded) in [(0.5, 0), (1.5, 2), (2.5, 2), (0.75, 1), (0.25, 0), (-0.5, 0), (-1.5, -2), (3, 3)] {
      #expect(sum([Float(units) * unit]).value(at: 0) == Double(rounded) * 0x1p-80)
      var double = ExactSum(count: 1)
      double.add(units * 0x1p-80, at: 0)
      #expect(double.value(at: 0) == Double(rounded) * 0x1p-80)
    }
    #expect(sum([.leastNonzeroMagnitude, -.leastNormalMagnitude, 0, -0.0]).value(at: 0) == 0)
    #expect(sum([0x1.fffffep-58]).value(at: 0) == 0x1p-57)
  }

  @Test func cancellationLosesNothing() {
    let values: [Float] = [0x1.fffffep30, 0x1p-57, -0x1.fffffep30, 3, -3, 1e-3]
    #expect(sum(values).value(at: 0) == 0x1p-57 + Double(Float(1e-3)))
    #expect(sum(values.reversed()).values(0..<1) == [1e-3])
  }

  /// Values on a grid that Double adds without rounding; in any order the words are the same.
  @Test func equalsTheSumInDoubleWhereThatIsExactAndDoesNotDependOnOrder() {
    var generator = SystemRandomNumberGenerator()
    for _ in 0..<50 {
      let values = (0..<200).map { _ in Float(Int32.random(in: -9_999_999...9_999_999, using: &generator)) * 0x1p-20 }
      let exact = values.reduce(0.0) { $0 + Double($1) }
      #expect(sum(values).value(at: 0) == exact)
      #expect(sum(values.shuffled()).value(at: 0) == exact)
      #expect(sum(values).values(0..<1) == [Float(exact)])
    }
  }

  /// Halfway cases and their neighbours, wider than 64 bits.
  @Test func resultsAreCorrectlyRounded() {
    #expect(sum([0x1p24, 1]).values(0..<1) == [0x1p24])
    #expect(sum([0x1p24, 1, 0x1p-57]).values(0..<1) == [0x1p24 + 2])
    #expect(sum([0x1p24, 3]).values(0..<1) == [0x1p24 + 4])
    #expect(sum([0x1p24, 3, -0x1p-57]).values(0..<1) == [0x1p24 + 2])
    #expect(sum([-0x1p24, -1, -0x1p-57]).values(0..<1) == [-0x1p24 - 2])
    #expect(sum([0x1p30, 0x1p-23, 0x1p-57]).value(at: 0) == 0x1p30 + 0x1p-22)
    #expect(sum([0x1p30, 0x1p-23]).value(at: 0) == 0x1p30)
  }

  @Test func whatIsNotFiniteOrTooLargeIsLeftOutAndCounted() {
    var sum = sum([.nan, .infinity, -.infinity, 0x1p31, -.greatestFiniteMagnitude, 5])
    #expect(sum.nonFinite == 5 && sum.value(at: 0) == 5)
    for value in [.nan, -.infinity, 0x1p31, -0x1p31, 1e308] as [Double] { sum.add(value, at: 0) }
    #expect(sum.nonFinite == 10 && sum.value(at: 0) == 5)
    sum.reset()
    #expect(sum.nonFinite == 0 && sum.value(at: 0) == 0)
  }

  @Test func theStatedNumberOfLargestAddendsDoesNotOverflow() {
    let half = sum([Float](repeating: -0x1.fffffep30, count: 1 << 15))
    #expect(half.value(at: 0) == -0x1.fffffep45)
    var whole = half
    for _ in 0..<(1 << 15) { whole.add((-0x1p31).nextUp, at: 0) }
    #expect(whole.value(at: 0) < -0x1.fffffep46 && whole.nonFinite == 0)
  }

  @Test func wordsDoNotTouchEachOther() throws {
    var sum = ExactSum(count: 5)
    [1, -2, 0.25].withUnsafeBufferPointer { sum.add($0, at: 1) }
    sum.add(count: -7, at: 4)
    sum.add(count: 3, at: 4)
    let alone = SingleProcess()
    try sum.reduce(over: alone)
    #expect(sum.values(0..<4) == [0, 1, -2, 0.25] && sum.count(at: 4) == -4)
    #expect(alone.traffic.sumCalls == 1 && alone.traffic.sumBytes == 6 * 16)
  }
}
