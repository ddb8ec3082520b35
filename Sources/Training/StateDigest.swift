// Whether all ranks hold the same adapter and moments: a flipped bit of one rank's memory must not reach a checkpoint.
import Adapters
import Artifacts
import Costs

/// A digest of a rank's adapter and moments, cheap enough for every step: any single changed bit changes it. It finds
/// accidents and is no defence against malice.
struct StateDigest: Equatable {
  /// Below 2^46, so that squares of its halves can be summed over 2^16 ranks in 64 bits.
  let value: UInt64

  init(parameters: UnsafeBufferPointer<Float>, _ state: OptimizerState) {
    var mixed = Self.mix(parameters, 0x9E37_79B9_7F4A_7C15)
    for moments in [state.expAvg, state.expAvgSq] {
      mixed = moments.withUnsafeBufferPointer { Self.mix($0, mixed) }
    }
    for exponent in state.gradientExponents { mixed = (mixed ^ UInt64(bitPattern: Int64(exponent))) &* Self.prime }
    value = (mixed ^ mixed >> 46) & (1 << 46 - 1)
  }

  init(_ value: UInt64) { self.value = value }

  init(_ parameters: [Float], _ state: OptimizerState) {
    self = parameters.withUnsafeBufferPointer { StateDigest(parameters: $0, state) }
  }

  private static let prime: UInt64 = 0x0000_0100_0000_01B3

  /// Each step is a bijection of what went before and of the number, in four independent chains for speed.
  private static func mix(_ values: UnsafeBufferPointer<Float>, _ start: UInt64) -> UInt64 {
    var chains = SIMD4<UInt64>(start, start &+ 1, start &+ 2, start &+ 3)
    let prime = SIMD4<UInt64>(repeating: Self.prime)
    var index = 0
    while index + 4 <= values.count {
      let numbers = SIMD4(
        UInt64(values[index].bitPattern), UInt64(values[index + 1].bitPattern), UInt64(values[index + 2].bitPattern),
        UInt64(values[index + 3].bitPattern))
      chains = (chains ^ numbers) &* prime
      index += 4
    }
    var mixed = UInt64(values.count)
    for number in values[index...] { mixed = (mixed ^ UInt64(number.bitPattern)) &* Self.prime }
    for chain in 0..<4 {
      mixed = (mixed ^ chains[chain] ^ chains[chain] >> 29) &* 0xBF58_476D_1CE4_E5B9
      mixed ^= mixed >> 32
    }
    return mixed
  }

  /// What is summed over the ranks: each half of the value, and its square.
  var addends: [(counter: AllReducePayload.Counter, value: Int)] {
    let (low, high) = (Int(value & (1 << 23 - 1)), Int(value >> 23))
    return [
      (.stateLow, low), (.stateLowSquared, low * low), (.stateHigh, high), (.stateHighSquared, high * high),
    ]
  }

  /// Whether all of `ranks` values are equal: only then the mean's square is the mean of the squares, in either half.
  static func areEqual(ranks: Int, _ sum: (AllReducePayload.Counter) -> Int) -> Bool {
    func areEqual(_ sum: Int, _ squares: Int) -> Bool { Int128(squares) * Int128(ranks) == Int128(sum) * Int128(sum) }
    return areEqual(sum(.stateLow), sum(.stateLowSquared)) && areEqual(sum(.stateHigh), sum(.stateHighSquared))
  }

  /// The ranks that hold something else than most; all where no value is that of most.
  static func odd(_ digests: [UInt64]) -> [Int] {
    let counts = digests.reduce(into: [:]) { $0[$1, default: 0] += 1 }
    guard let most = counts.max(by: { $0.value < $1.value }), 2 * most.value > digests.count else {
      return Array(digests.indices)
    }
    return digests.indices.filter { digests[$0] != most.key }
  }
}
