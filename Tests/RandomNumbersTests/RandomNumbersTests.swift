// Seeded streams: the published sequence, values frozen from an independent script, and their distribution.
import Foundation
import Testing

@testable import RandomNumbers

@Suite("Random numbers")
struct RandomNumbersTests {
  @Test("SplitMix64 equals the published sequence of seed 1234567")
  func published() {
    var generator = SplitMix64(seed: 1_234_567)
    #expect(
      (0..<5).map { _ in generator.next() } == [
        6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431,
        16_408_922_859_458_223_821,
      ])
  }

  // From here frozen values are those of Resources/sampling_reference.py.
  @Test("bounded numbers equal the reference and fill their range")
  func bounded() {
    var generator = SplitMix64(seed: 42, stream: 3)
    #expect((0..<12).map { _ in generator.next(below: 6) } == [1, 1, 3, 4, 5, 2, 3, 5, 1, 0, 3, 1])
    #expect(generator.next(below: 1) == 0)
    #expect((0..<100).allSatisfy { _ in (0..<Int.max).contains(generator.next(below: .max)) })
    var counts = Array(repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[generator.next(below: 7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
  }

  @Test("normal numbers equal the reference within the last places of its logarithm")
  func gaussians() {
    var source = NormalSource(seed: 2024, stream: 5)
    let expected = [
      -0.6591594792021734, 0.6902146037665461, 0.7347078896456981, 1.4496107592420093, 1.2830936831684459,
      1.1427771032673875,
    ]
    for value in expected { #expect(abs(source.nextGaussian() - value) <= 4 * value.ulp.magnitude) }
  }

  @Test("normal numbers keep their bits, whatever the machine's C library")
  func gaussianBits() {
    var source = NormalSource(seed: 0)
    var digest: UInt64 = 0
    for _ in 0..<10_000 { digest = digest &* 31 &+ source.nextGaussian().bitPattern }
    #expect(digest == 6_277_421_724_819_015_334)
  }

  @Test("the logarithm is that of the C library within three units of the last place")
  func logarithm() {
    var generator = SplitMix64(seed: 9)
    for exponent in -60...60 {
      let x = Double(sign: .plus, exponent: exponent, significand: 1 + Double(generator.next() >> 12) * 0x1p-52)
      #expect(abs(naturalLogarithm(x) - log(x)) <= 3 * log(x).ulp, "\(x)")
    }
    #expect(naturalLogarithm(1) == 0)
  }

  @Test("mean, variance and fourth moment are those of N(0, 1), and streams differ")
  func moments() {
    var source = NormalSource(seed: 1, stream: 1)
    let numbers = (0..<200_000).map { _ in source.nextGaussian() }
    func moment(_ power: Double) -> Double { numbers.reduce(0) { $0 + pow($1, power) } / Double(numbers.count) }
    #expect(abs(moment(1)) < 0.01 && abs(moment(2) - 1) < 0.015 && abs(moment(4) - 3) < 0.1)
    var other = NormalSource(seed: 1, stream: 2)
    #expect(other.nextGaussian() != numbers[0])
  }
}
