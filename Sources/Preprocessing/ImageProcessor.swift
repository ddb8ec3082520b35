// From an image to the patches of the vision tower: transformers' `Qwen2VLImageProcessorPil`, bit for bit.
import Datasets
import HuggingFace

/// What the vision tower reads of one image.
package struct ProcessedImage: Sendable, Equatable {
  /// `[P, channels * temporal * side * side]`, P the grid's patches, the four of a visual token together.
  package var patches: [Float]
  /// The grid of the patches.
  package var grid: GridTHW
  /// The image's size before and after resizing.
  package var frame: ImageFrame
  /// What is wrong with its file, whose pixels are whole; nil for a sound one.
  package var damage: String?
}

/// Resizes, normalises and cuts images; a pure function of settings and pixels.
package struct ImageProcessor: Sendable {
  /// As given and checked.
  package let settings: PreprocessorConfiguration
  /// How files are decoded.
  package let reading: ImageReading
  /// The normalised value of every byte, for red, green and blue.
  private let table: [[Float]]

  /// Throws `PreprocessingError.setting` for settings with which no image can be processed.
  package init(
    _ settings: PreprocessorConfiguration, reading: ImageReading = ImageReading()
  ) throws(PreprocessingError) {
    try settings.validate()
    (self.settings, self.reading) = (settings, reading)
    table = zip(settings.imageMean, settings.imageStd).map { mean, std in
      // numpy's order: the product in double, rounded to float; mean and deviation rounded to float before their use.
      (0...255).map { (Float(Double($0) * settings.rescaleFactor) - Float(mean)) / Float(std) }
    }
  }

  /// Values in one patch: channels x temporal x side x side.
  package var patchNumbers: Int { 3 * settings.temporalPatchSize * settings.patchSize * settings.patchSize }

  /// The frame of an image of this size before and after resizing; `name` is for messages.
  ///
  /// - Parameter request: the size that the row asks for.
  ///
  /// Throws `PreprocessingError`: an aspect ratio above 200, or limits that leave no pixel or too many.
  package func frame(
    of original: ImageSize, request: RequestedSize? = nil, name: String
  ) throws(PreprocessingError) -> ImageFrame {
    let factor = settings.patchSize * settings.mergeSize
    func checked(_ resized: ImageSize?, of size: ImageSize) throws(PreprocessingError) -> ImageSize {
      guard let resized else { throw .aspectRatio(image: name, width: size.width, height: size.height) }
      guard resized.width > 0, resized.height > 0, resized.width * resized.height <= ImageDecoder.maximumPixels else {
        throw .noSuchSize(image: name, width: resized.width, height: resized.height)
      }
      return resized
    }
    var requested: ImageSize?
    if let request {
      requested = try checked(request.size(of: original, factor: factor), of: request.aspect(of: original))
    }
    let before = requested ?? original
    let resized = smartResize(
      height: before.height, width: before.width, factor: factor, minPixels: settings.minPixels,
      maxPixels: settings.maxPixels)
    return ImageFrame(original: original, resized: try checked(resized, of: before), requested: requested)
  }

  /// The patches of a resized still image.
  package func grid(of frame: ImageFrame) -> GridTHW {
    GridTHW(t: 1, h: frame.resized.height / settings.patchSize, w: frame.resized.width / settings.patchSize)
  }

  /// Resized, normalised and cut; throws what `frame(of:request:name:)` throws.
  package func process(_ image: RGBImage, name: String) throws(PreprocessingError) -> ProcessedImage {
    process(image, try frame(of: image.size, name: name))
  }

  private func process(_ image: RGBImage, _ frame: ImageFrame) -> ProcessedImage {
    let grid = grid(of: frame)
    let first = frame.requested.map { image.resized(to: $0) } ?? image
    return ProcessedImage(
      patches: patches(of: first.resized(to: frame.resized), grid), grid: grid, frame: frame, damage: image.damage)
  }

  /// Decodes and processes an image's bytes; throws `PreprocessingError`, also where its frame is not `frame`.
  package func process(
    _ bytes: [UInt8], expecting frame: ImageFrame, name: String, maximumPixels: Int = ImageDecoder.maximumPixels
  ) throws(PreprocessingError) -> ProcessedImage {
    let image = try ImageDecoder.decode(bytes, name: name, reading: reading, maximumPixels: maximumPixels)
    guard image.size == frame.original else {
      throw .changed(image: name, expected: "\(frame.original)", found: "\(image.size)")
    }
    return process(image, frame)
  }

  /// `[gh, gw, merge, merge, channel, time, side, side]`, flattened: the order of transformers' `patchify`.
  private func patches(of image: RGBImage, _ grid: GridTHW) -> [Float] {
    let (side, merge, times) = (settings.patchSize, settings.mergeSize, settings.temporalPatchSize)
    let count = grid.patches * patchNumbers
    return [Float](unsafeUninitializedCapacity: count) { output, filled in
      image.pixels.withUnsafeBufferPointer { pixels in
        var next = 0
        for patch in 0..<grid.patches {
          let (block, cell) = (patch / (merge * merge), patch % (merge * merge))
          let (blockRow, blockColumn) = (block / (grid.w / merge), block % (grid.w / merge))
          let top = (blockRow * merge + cell / merge) * side
          let left = (blockColumn * merge + cell % merge) * side
          for channel in 0..<3 {
            table[channel].withUnsafeBufferPointer { value in
              for _ in 0..<times {
                for y in top..<top + side {
                  let row = 3 * (y * image.width + left) + channel
                  for x in 0..<side { output[next + x] = value[Int(pixels[row + 3 * x])] }
                  next += side
                }
              }
            }
          }
        }
      }
      filled = count
    }
  }
}
