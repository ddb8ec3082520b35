// How many patches an image has, named as transformers' `image_grid_thw`.

/// An image's patches along time, height and width.
package struct GridTHW: Sendable, Hashable {
  package var t: Int
  package var h: Int
  package var w: Int
  package init(t: Int, h: Int, w: Int) { (self.t, self.h, self.w) = (t, h, w) }

  /// Patches in the grid, the rows of the matrix of its pixel values.
  package var patches: Int { t * h * w }
  /// Tokens that the decoder sees of it.
  package func tokens(mergeSize: Int) -> Int { patches / (mergeSize * mergeSize) }
}
