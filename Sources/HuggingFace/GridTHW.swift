// How many patches a picture has, named as transformers' `image_grid_thw`.

/// A picture's patches along time, height and width.
package struct GridTHW: Sendable, Hashable {
  package var t: Int
  package var h: Int
  package var w: Int
  package init(t: Int, h: Int, w: Int) { (self.t, self.h, self.w) = (t, h, w) }

  /// Patches in the grid, the rows of its pixel values.
  package var patches: Int { t * h * w }
  /// Tokens that the decoder sees of it.
  package func tokens(mergeSize: Int) -> Int { patches / (mergeSize * mergeSize) }
}
