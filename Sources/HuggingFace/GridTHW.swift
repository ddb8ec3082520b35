// How many patches a picture has, named as transformers' `image_grid_thw`.

/// A picture's patches along time, height and width.
public struct GridTHW: Sendable, Hashable {
  public var t: Int
  public var h: Int
  public var w: Int
  public init(t: Int, h: Int, w: Int) { (self.t, self.h, self.w) = (t, h, w) }

  /// Patches in the grid, the rows of its pixel values.
  public var patches: Int { t * h * w }
  /// Tokens that the decoder sees of it.
  public func tokens(mergeSize: Int) -> Int { patches / (mergeSize * mergeSize) }
}
