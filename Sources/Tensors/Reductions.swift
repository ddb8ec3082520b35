// Sums and largest elements of vectors in Float, in an order that no library or processor decides.

/// 16 numbers from an address of any alignment.
@inline(__always)
func vector(_ x: UnsafePointer<Float>) -> SIMD16<Float> { UnsafeRawPointer(x).loadUnaligned(as: SIMD16<Float>.self) }

/// All whole vectors of `count` numbers as one: four at a time, which wait for no result of each other.
/// - Parameter part: the vector from an index on.
@inline(__always)
func reduce(
  _ count: Int, _ neutral: SIMD16<Float>, _ part: (Int) -> SIMD16<Float>,
  _ combine: (SIMD16<Float>, SIMD16<Float>) -> SIMD16<Float>
) -> SIMD16<Float> {
  var (a, b, c, d) = (neutral, neutral, neutral, neutral)
  var i = 0
  while i + 64 <= count {
    a = combine(a, part(i))
    b = combine(b, part(i + 16))
    c = combine(c, part(i + 32))
    d = combine(d, part(i + 48))
    i += 64
  }
  while i + 16 <= count {
    a = combine(a, part(i))
    i += 16
  }
  return combine(combine(a, b), combine(c, d))
}

/// Halves upon each other; `sum()` and `max()` of the standard library go through the lanes one by one.
extension SIMD16<Float> {
  @inline(__always)
  var total: Float {
    let eight = lowHalf + highHalf
    let four = eight.lowHalf + eight.highHalf
    return four.x + four.z + (four.y + four.w)
  }

  @inline(__always)
  var largest: Float {
    let eight = lowHalf.replacing(with: highHalf, where: highHalf .> lowHalf)
    let four = eight.lowHalf.replacing(with: eight.highHalf, where: eight.highHalf .> eight.lowHalf)
    let two = four.lowHalf.replacing(with: four.highHalf, where: four.highHalf .> four.lowHalf)
    return two.y > two.x ? two.y : two.x
  }
}
