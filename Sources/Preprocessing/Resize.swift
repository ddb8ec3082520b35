// Bicubic resizing with antialiasing, the bits of Pillow 13's `Image.resize(size, BICUBIC)` on 8-bit RGB (Resample.c).

/// The weights of one axis: which inputs each output reads, and how much of each.
private struct Axis {
  /// Fractional bits of a weight, `PRECISION_BITS`: 8 bits of pixel and 2 of headroom fit beside them.
  static let fractionBits: Int32 = 32 - 8 - 2
  /// One half in fixed point: sums start there, so that the shift rounds.
  static let half: Int32 = 1 << (fractionBits - 1)

  /// First input of each output.
  var first: [Int]
  /// Inputs of each output.
  var count: [Int]
  /// `taps` weights an output.
  var weights: [Int32]
  var taps: Int

  /// `precompute_coeffs` and `normalize_coeffs_8bpc`.
  init(from input: Int, to output: Int) {
    let scale = Double(input) / Double(output)
    let filterScale = max(scale, 1)
    let support = 2 * filterScale
    taps = Int(support.rounded(.up)) * 2 + 1
    first = []
    count = []
    weights = [Int32](repeating: 0, count: output * taps)
    for index in 0..<output {
      let center = (Double(index) + 0.5) * scale
      let low = max(Int(center - support + 0.5), 0)
      let high = min(Int(center + support + 0.5), input)
      var raw = (low..<high).map { Self.bicubic((Double($0) - center + 0.5) * (1 / filterScale)) }
      let sum = raw.reduce(0, +)
      if sum != 0 { raw = raw.map { $0 / sum } }
      for (tap, weight) in raw.enumerated() {
        let scaled = weight * Double(1 << Self.fractionBits)
        weights[index * taps + tap] = Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5)
      }
      first.append(low)
      count.append(high - low)
    }
  }

  /// Keys' cubic convolution with a = -0.5.
  private static func bicubic(_ x: Double) -> Double {
    let (a, x) = (-0.5, abs(x))
    if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
    if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
    return 0
  }
}

extension RGBImage {
  /// Resized to `size` by antialiased bicubic interpolation, bit-equal to Pillow's.
  package func resized(to size: ImageSize) -> RGBImage {
    precondition(size.width > 0 && size.height > 0, "an image has pixels")
    // Each pass rounds to bytes, so the order shows: Pillow 13 goes down first where that drops many more rows than
    // columns, Pillow 12 and before never. The difference is one level in a few pixels.
    let rows = height - size.height
    if rows > 0 && rows > 2 * (width - size.width) {
      return verticallyResized(to: size.height).horizontallyResized(to: size.width)
    }
    return horizontallyResized(to: size.width).verticallyResized(to: size.height)
  }

  private func horizontallyResized(to newWidth: Int) -> RGBImage {
    if newWidth == width { return self }
    let axis = Axis(from: width, to: newWidth)
    let output = [UInt8](unsafeUninitializedCapacity: 3 * newWidth * height) { output, filled in
      filled = 3 * newWidth * height
      var out = 0
      pixels.withUnsafeBufferPointer { input in
        axis.weights.withUnsafeBufferPointer { weights in
          for y in 0..<height {
            let row = 3 * width * y
            for x in 0..<newWidth {
              var (red, green, blue) = (Axis.half, Axis.half, Axis.half)
              var at = row + 3 * axis.first[x]
              let start = x * axis.taps
              for tap in start..<start + axis.count[x] {
                let weight = weights[tap]
                red &+= Int32(input[at]) &* weight
                green &+= Int32(input[at + 1]) &* weight
                blue &+= Int32(input[at + 2]) &* weight
                at += 3
              }
              output[out] = clipped(red)
              output[out + 1] = clipped(green)
              output[out + 2] = clipped(blue)
              out += 3
            }
          }
        }
      }
    }
    return RGBImage(width: newWidth, height: height, pixels: output)
  }

  private func verticallyResized(to newHeight: Int) -> RGBImage {
    if newHeight == height { return self }
    let axis = Axis(from: height, to: newHeight)
    let stride = 3 * width
    var sums = [Int32](repeating: 0, count: stride)
    let output = [UInt8](unsafeUninitializedCapacity: stride * newHeight) { output, filled in
      filled = stride * newHeight
      sums.withUnsafeMutableBufferPointer { sums in
        pixels.withUnsafeBufferPointer { input in
          for y in 0..<newHeight {
            sums.update(repeating: Axis.half)
            for tap in 0..<axis.count[y] {
              let weight = axis.weights[y * axis.taps + tap]
              let row = UnsafeBufferPointer(rebasing: input[((axis.first[y] + tap) * stride)...].prefix(stride))
              for x in 0..<stride { sums[x] &+= Int32(row[x]) &* weight }
            }
            for x in 0..<stride { output[y * stride + x] = clipped(sums[x]) }
          }
        }
      }
    }
    return RGBImage(width: width, height: newHeight, pixels: output)
  }
}

/// `clip8`: a fixed-point sum as a byte.
@inline(__always)
private func clipped(_ sum: Int32) -> UInt8 { UInt8(truncatingIfNeeded: min(max(sum >> Axis.fractionBits, 0), 255)) }
