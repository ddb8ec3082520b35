// The dropout of LoRA's inputs: which numbers it leaves out is a function of a token's key, the module and the column.
import QwenVL
import RandomNumbers
import Tensors

extension TokenDropout {
  /// Leaves some numbers out of x and enlarges the others by 1 / (1 - rate), in place (torch `nn.Dropout`).
  /// - Parameters:
  ///   - x: `[rows, C]`; a gradient of what was left out is left out, too.
  ///   - rows: the tokens of x.
  ///   - stream: a number of the module's own.
  @specialized(where Element == Float)
  @specialized(where Element == Double)
  func apply<Element: Scalar>(inPlace x: Matrix<Element>, rows: Range<Int>, stream: UInt64) {
    precondition(rows.count == x.rows)
    let bound = UInt64(rate * 0x1p32)
    let scale = Element(1 / (1 - rate))
    for (row, token) in rows.enumerated() {
      // A word of 64 bits decides two columns.
      var generator = SplitMix64(seed: keys[token], stream: stream)
      let xi = x.row(row)
      var j = 0
      while j + 1 < x.columns {
        let word = generator.next()
        xi[j] = word & 0xffff_ffff < bound ? 0 : xi[j] * scale
        xi[j + 1] = word >> 32 < bound ? 0 : xi[j + 1] * scale
        j += 2
      }
      if j < x.columns { xi[j] = generator.next() & 0xffff_ffff < bound ? 0 : xi[j] * scale }
    }
  }
}
