import Datasets
import HuggingFace
import Digests
import Testing

@testable import Preprocessing

@Suite("Pixel values, sizes and boxes are those of transformers' image processor")
struct ImageProcessorTests {
  private struct Case: Decodable {
    var width, height, seed, patchSize, minPixels, maxPixels: Int
    var mean, std: [Double]
    var grid: [Int]
    var first: [Float]
    var sha256: String
  }

  @Test("pixel values are equal in every bit, resized or not, patch 14 or 16")
  func pixelValues() throws {
    let cases: [Case] = try Fixtures.load("patches.json")
    for item in cases {
      let processor = try ImageProcessor(
        PreprocessorConfiguration(
          minPixels: item.minPixels, maxPixels: item.maxPixels, patchSize: item.patchSize, imageMean: item.mean,
          imageStd: item.std))
      let image = Fixtures.image(seed: item.seed, width: item.width, height: item.height)
      let out = try processor.process(image, name: "noise")
      #expect([out.grid.t, out.grid.h, out.grid.w] == item.grid)
      #expect(out.patches.count == out.grid.patches * processor.patchNumbers)
      #expect(Array(out.patches.prefix(4)) == item.first)
      let bytes = out.patches.withUnsafeBytes { [UInt8]($0) }
      #expect(SHA256.hex(bytes) == item.sha256, "\(image.size)")
      #expect(out.frame == (try processor.frame(of: image.size, name: "noise")))
      #expect(processor.grid(of: out.frame) == out.grid)
    }
  }

  @Test("400 sizes resize as transformers' smart_resize does, aspect ratios above 200 not at all")
  func smartResizes() throws {
    let cases: [[Int]] = try Fixtures.load("smart-resize.json")
    #expect(cases.count == 400)
    for item in cases {
      let size = smartResize(
        height: item[0], width: item[1], factor: item[2], minPixels: item[3], maxPixels: item[4])
      let expected = item[5] == 0 ? nil : ImageSize(width: item[6], height: item[5])
      #expect(size == expected, "\(item)")
    }
  }

  @Test("settings without an image are refused by name")
  func settings() {
    func key(_ change: (inout PreprocessorConfiguration) -> Void) -> String? {
      var settings = PreprocessorConfiguration()
      change(&settings)
      do {
        _ = try ImageProcessor(settings)
      } catch {
        if case .setting(let key, _, _) = error { return key }
      }
      return nil
    }
    #expect(key { _ in } == nil)
    #expect(key { $0.minPixels = 0 } == "min_pixels")
    #expect(key { $0.minPixels = $0.maxPixels + 1 } == "min_pixels")
    #expect(key { $0.maxPixels = .max } == "max_pixels")
    #expect(key { $0.patchSize = 0 } == "patch_size")
    #expect(key { $0.temporalPatchSize = -1 } == "temporal_patch_size")
    #expect(key { $0.mergeSize = .max } == "merge_size")
    #expect(key { $0.imageMean = [0.5] } == "image_mean")
    #expect(key { $0.imageStd = [1, 1e-300, 1] } == "image_std")
    #expect(key { $0.rescaleFactor = .nan } == "rescale_factor")
  }

  @Test("an aspect ratio above 200 is an error that names the image")
  func aspectRatio() throws {
    let processor = try ImageProcessor(PreprocessorConfiguration())
    #expect(throws: PreprocessingError.aspectRatio(image: "strip", width: 1, height: 201)) {
      try processor.frame(of: ImageSize(width: 1, height: 201), name: "strip")
    }
  }

  @Test("boxes follow the image and come back; beyond it they are clamped")
  func boxes() throws {
    let processor = try ImageProcessor(PreprocessorConfiguration(maxPixels: 125_440))
    for (width, height) in [(385, 640), (1080, 1920), (28, 28), (50, 2000), (3, 3)] {
      let frame = try processor.frame(of: ImageSize(width: width, height: height), name: "x")
      let box = Objects.Box(
        x1: 1, y1: 0.25 * Double(height), x2: 0.75 * Double(width), y2: Double(height), image: 2)
      let back = frame.toOriginal(frame.toWritten(box))
      for (found, expected) in [(back.x1, box.x1), (back.y1, box.y1), (back.x2, box.x2), (back.y2, box.y2)] {
        #expect(abs(found - expected) < 1e-9 * Double(width + height))
      }
      #expect(back.image == 2)
    }
    let frame = ImageFrame(original: ImageSize(width: 100, height: 50), resized: ImageSize(width: 200, height: 25))
    #expect(
      frame.toWritten(Objects.Box(x1: 10, y1: 10, x2: 60, y2: 20)) == Objects.Box(x1: 20, y1: 5, x2: 120, y2: 10))
    #expect(
      frame.toWritten(Objects.Box(x1: -5, y1: -5, x2: 160, y2: 70)) == Objects.Box(x1: 0, y1: 0, x2: 200, y2: 25))
  }
}
