// What users read: an example's listing, a model's listing, and why an adapter does not fit.
import Batches
import HuggingFace
import Testing
import TinyModels

@testable import Inspection

@Suite("Listings and messages")
struct ListingTests {
  @Test("an example: counts, image, box in both frames, one line an image, a mark at supervised tokens")
  func exampleListing() throws {
    let model = try TinyModel()
    let base = try model.base()
    let row = try TinyExamples.examples()[0]
    let sample = try base.sampleBuilder(maxLength: 512).sample(for: row)
    let example = ExampleDescription(row, sample: sample, base: base)
    let lines = example.lines
    // 120 x 90 within 12544 pixels is resized to 112 x 84: 8 x 6 patches, 4 x 3 visual tokens.
    #expect(lines[0].text.hasPrefix("example box (line 1): \(sample.inputIDs.count) tokens, 12 visual of 1 image, "))
    #expect(lines[1].text.hasSuffix("grid 1x6x8, original 120x90 -> 112x84"))
    #expect(
      lines[2].text
        == "box 0  image 0  original [10.0, 20.0, 51.0, 61.0]  written [9.33, 18.67, 47.6, 56.93]")
    let images = lines.filter { $0.kind == .image }
    #expect(images.count == 1)
    let start = sample.visualSpans[0].lowerBound
    #expect(
      images[0].text
        == "     \(start)     261  <|image_pad|> x 12 (grid 1x6x8, original 120x90 -> 112x84), positions \(start) to "
        + "\(start),\(start + 2),\(start + 3)")
    let supervised = lines.filter { $0.kind == .supervised }
    #expect(supervised.count == sample.supervisedTokens)
    #expect(supervised[0].text.hasSuffix("    *  ["))
    #expect(lines.filter { $0.kind != .heading }.count == sample.inputIDs.count - 11)
    #expect(example.tokens.count == sample.inputIDs.count && example.images[0].grid == [1, 6, 8])
    #expect(example.tokens.filter { $0.image == 0 }.map(\.index) == Array(sample.visualSpans[0]))
  }

  @Test("a model: parts add up to the whole", arguments: ModelConfiguration.Family.allCases)
  func model(family: ModelConfiguration.Family) throws {
    let model = try TinyModel(family)
    let described = try ModelDescription(model.base())
    #expect(described.parts.map(\.name) == ["vision tower", "merger", "embedding", "decoder", "head"])
    #expect(described.parts[2].parameters == 272 * 16)
    #expect(described.total.parameters == described.parts.reduce(0) { $0 + $1.parameters })
    let lines = described.lines
    #expect(lines.contains { $0.contains("<|im_end|> 258") })
    let attention =
      switch family {
      case .qwen2_5_vl: "windows of 112, whole image in blocks 1"
      case .qwen3_vl: "whole image in all blocks, deepstack of blocks 0"
      case .qwen2_vl, .qwen3_5: "whole image in all blocks"
      }
    let layers = family == .qwen3_5 ? "3 layers (1 of full attention), " : "2 layers, "
    #expect(lines.contains { $0.hasPrefix("decoder          " + layers) }, "\(lines)")
    #expect(lines.contains { $0.hasPrefix("vision tower ") && $0.hasSuffix("pixels, \(attention)") }, "\(lines)")
    #expect(lines.contains { $0.hasSuffix("4 to 16 visual tokens an image, sides in multiples of 28") })
  }
}
