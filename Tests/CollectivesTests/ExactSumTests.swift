// Exact sums against computations that need no rounding, and in every order.
import Testing

@testable import Collectives

@Suite("An exact sum is the sum of its rounded addends, whatever the order")
struct ExactSumTests {
  /// Units of 2^-31.
  private let form = FixedPoint(limit: 31, addends: 1)

  private func sum(_ values: [Float], in form: FixedPoint) -> ExactSum {
    var sum = ExactSum(count: 1)
    for value in values { #expect(add(value, to: &sum, in: form) == .added) }
    return sum
  }

  private func add(_ value: Float, to sum: inout ExactSum, in form: FixedPoint) -> ExactSum.Outcome {
    withUnsafePointer(to: value) { sum.add(UnsafeBufferPointer(start: $0, count: 1), at: 0, in: form) }
  }

  @Test func unitsAreAsFineAsTheAddendsAllow() {
    #expect(form.unit == -31 && FixedPoint(limit: 0, addends: 2).unit == -61)
    #expect(FixedPoint(limit: 5, addends: 3).unit == -55 && FixedPoint(limit: 5, addends: 4).unit == -55)
    #expect(FixedPoint(limit: 5, addends: 5).unit == -54)
  }

  /// Every Float from 2^-8 of the limit's exponent range up comes back as it went in.
  @Test func singleValuesAreExact() {
    for limit in [-90, -3, 0, 16, 128] {
      let form = FixedPoint(limit: limit, addends: 1)
      for exponent in max(-126, limit - 38)..<limit {
        for significand in [1.0, 1.5, 1.25, 0x1.000002p0, 0x1.fffffep0] as [Float] {
          let value = Float(sign: .plus, exponent: exponent, significand: significand)
          #expect(sum([value], in: form).values(0..<1, in: form) == [value])
          #expect(sum([-value], in: form).values(0..<1, in: form) == [-value])
          #expect(sum([value], in: form).value(at: 0, in: form) == Double(value))
          #expect(sum([value], in: form).exponent(of: 0..<1, in: form) == exponent + 1)
        }
      }
    }
  }

  @Test func smallValuesAreRoundedToTheNearestUnitTiesToEven() {
    let unit: Float = 0x1p-31
    for (units, rounded) in [
      (0.5, 0), (1.5, 2), (2.5, 2), (0.75, 1), (0.25, 0), (-0.5, 0), (-1.5, -2), (3, 3), (0x1.fffffep22, 0x1p23),
      (0x1.fffffcp22, 0x1.fffffcp22), (0x1.000002p-1, 1),
    ] as [(Float, Double)] {
      #expect(sum([units * unit], in: form).value(at: 0, in: form) == rounded * 0x1p-31)
      var double = ExactSum(count: 1)
      #expect(double.add(Double(units) * 0x1p-31, at: 0, in: form) == .added)
      #expect(double.value(at: 0, in: form) == rounded * 0x1p-31)
    }
    let small: [Float] = [.leastNonzeroMagnitude, -.leastNormalMagnitude, 0, -0.0, 0x1p-56]
    #expect(sum(small, in: form).value(at: 0, in: form) == 0)
    #expect(sum(small, in: form).exponent(of: 0..<1, in: form) == nil)
    let finest = FixedPoint(limit: -100, addends: 1)
    #expect(sum([.leastNonzeroMagnitude], in: finest).values(0..<1, in: finest) == [.leastNonzeroMagnitude])
  }

  /// Values on a grid that Double adds without rounding; in any order the words are the same.
  @Test func equalsTheSumInDoubleWhereThatIsExactAndDoesNotDependOnOrder() {
    var generator = SystemRandomNumberGenerator()
    let form = FixedPoint(limit: 5, addends: 200)
    for _ in 0..<50 {
      let values = (0..<200).map { _ in Float(Int32.random(in: -9_999_999...9_999_999, using: &generator)) * 0x1p-20 }
      let exact = values.reduce(0.0) { $0 + Double($1) }
      #expect(sum(values, in: form).value(at: 0, in: form) == exact)
      #expect(sum(values.shuffled(), in: form).value(at: 0, in: form) == exact)
      #expect(sum(values, in: form).values(0..<1, in: form) == [Float(exact)])
    }
  }

  /// Halfway cases and their neighbours.
  @Test func resultsAreCorrectlyRounded() {
    let form = FixedPoint(limit: 25, addends: 4)
    #expect(sum([0x1p24, 1], in: form).values(0..<1, in: form) == [0x1p24])
    #expect(sum([0x1p24, 1, 0x1p-35], in: form).values(0..<1, in: form) == [0x1p24 + 2])
    #expect(sum([0x1p24, 3], in: form).values(0..<1, in: form) == [0x1p24 + 4])
    #expect(sum([0x1p24, 3, -0x1p-35], in: form).values(0..<1, in: form) == [0x1p24 + 2])
    #expect(sum([-0x1p24, -1, -0x1p-35], in: form).values(0..<1, in: form) == [-0x1p24 - 2])
  }

  @Test func whatIsNotFiniteOrTooLargeIsLeftOutAndSaid() {
    var sum = sum([5], in: form)
    for value in [.nan, .infinity, -.infinity] as [Float] { #expect(add(value, to: &sum, in: form) == .notFinite) }
    #expect(add(0x1p31, to: &sum, in: form) == .tooLarge(exponent: 32))
    #expect(add(-.greatestFiniteMagnitude, to: &sum, in: form) == .tooLarge(exponent: 128))
    for value in [.nan, -.infinity] as [Double] { #expect(sum.add(value, at: 0, in: form) == .notFinite) }
    #expect(sum.add(-0x1p31, at: 0, in: form) == .tooLarge(exponent: 32))
    #expect(sum.add(1e308, at: 0, in: form) == .tooLarge(exponent: 1024))
    #expect(sum.value(at: 0, in: form) == 5)
    // One value that is refused keeps all of its call out.
    var several = ExactSum(count: 3)
    for bad in [.nan, 0x1p40] as [Float] {
      let outcome = [1, bad, 2].withUnsafeBufferPointer { several.add($0, at: 0, in: form) }
      #expect(outcome != .added && several.values(0..<3, in: form) == [0, 0, 0])
    }
    sum.reset()
    #expect(sum.value(at: 0, in: form) == 0)
  }

  @Test func theStatedNumberOfLargestAddendsDoesNotOverflow() {
    let form = FixedPoint(limit: 31, addends: 1 << 16)
    var whole = sum([Float](repeating: -0x1.fffffep30, count: 1 << 15), in: form)
    #expect(whole.value(at: 0, in: form) == -0x1.fffffep45)
    for _ in 0..<(1 << 15) { #expect(whole.add((-0x1p31).nextUp, at: 0, in: form) == .added) }
    #expect(whole.value(at: 0, in: form) < -0x1.fffffep46)
  }

  @Test func wordsDoNotTouchEachOther() throws {
    var sum = ExactSum(count: 5)
    #expect([1, -2, 0.25].withUnsafeBufferPointer { sum.add($0, at: 1, in: form) } == .added)
    sum.add(count: -7, at: 4)
    sum.add(count: 3, at: 4)
    let alone = SingleProcess()
    try sum.reduce(over: alone)
    #expect(sum.values(0..<4, in: form) == [0, 1, -2, 0.25] && sum.count(at: 4) == -4)
    #expect(alone.traffic.sumCalls == 1 && alone.traffic.sumBytes == 5 * 8)
  }
}
