// What users read: a row's listing, a model's listing, and why an adapter does not fit.
import HuggingFace
import Testing
import TinyModels
import Batches

@testable import Evaluation

@Suite("Listings and messages")
struct ListingTests {
  @Test("a row: counts, picture, box in both frames, one line a picture, a mark at supervised tokens")
  func row() throws {
    let model = try TinyModel()
    let base = try model.base()
    let row = try TinyExamples.examples()[0]
    let sample = try base.sampleBuilder(maxLength: 512).sample(for: row)
    let lines = base.listing(of: row, sample: sample)
    // 120 x 90 within 12544 pixels is resized to 112 x 84: 8 x 6 patches, 4 x 3 visual tokens.
    #expect(lines[0].text.hasPrefix("row box (line 1): \(sample.inputIDs.count) tokens, 12 visual of 1 picture, "))
    #expect(lines[1].text.hasSuffix("grid 1x6x8, original 120x90 -> 112x84"))
    #expect(
      lines[2].text
        == "box 0  picture 0  original [10.0, 20.0, 51.0, 61.0]  written [9.33, 18.67, 47.6, 56.93]")
    let pictures = lines.filter { $0.kind == .picture }
    #expect(pictures.count == 1)
    let start = sample.visualSpans[0].lowerBound
    #expect(
      pictures[0].text
        == "     \(start)     261  <|image_pad|> x 12 (grid 1x6x8, original 120x90 -> 112x84), positions \(start) to "
        + "\(start),\(start + 2),\(start + 3)")
    let supervised = lines.filter { $0.kind == .supervised }
    #expect(supervised.count == sample.supervisedTokens)
    #expect(supervised[0].text.hasSuffix("    *  ["))
    #expect(lines.filter { $0.kind != .heading }.count == sample.inputIDs.count - 11)
  }

  @Test("a model: parts add up to the whole", arguments: ModelConfiguration.Family.allCases)
  func model(family: ModelConfiguration.Family) throws {
    let model = try TinyModel(family)
    let lines = try model.base().listing()
    func number(_ part: String) throws -> Int {
      let line = try #require(lines.first { $0.hasPrefix("  \(part) ") })
      return try #require(Int(line.dropFirst(17).prefix { $0 != " " }))
    }
    let parts = try ["vision tower", "merger", "embedding", "decoder", "head"].map(number)
    #expect(parts[2] == 272 * 16)
    #expect(try number("all") == parts.reduce(0, +))
    #expect(lines.contains { $0.contains("<|im_end|> 258") })
    let attention =
      family == .qwen2_5_vl
      ? "windows of 112, whole picture in blocks 1" : "whole picture in all blocks, deepstack of blocks 0"
    #expect(lines.contains { $0.hasPrefix("vision tower ") && $0.hasSuffix("pixels, \(attention)") }, "\(lines)")
    #expect(lines.contains { $0.hasSuffix("4 to 16 visual tokens a picture, sides in multiples of 28") })
  }

  @Test("an adapter is refused with every difference and how to mend it; what it does not say is not compared")
  func conditions() throws {
    let used = AdapterConditions(baseDigest: "bbbb", templateDigest: "tttt", minPixels: 3136, maxPixels: 12544)
    try used.require(used, folder: "M", file: "C.h5") { "\($0)=\($1)" }
    let silent = AdapterConditions(baseDigest: nil, templateDigest: nil, minPixels: nil, maxPixels: nil)
    try silent.require(used, folder: "M", file: "C.h5") { "\($0)=\($1)" }
    let other = AdapterConditions(baseDigest: "xxxx", templateDigest: "yyyy", minPixels: 784, maxPixels: 12544)
    let error = #expect(throws: EvaluationError.self) {
      try other.require(used, folder: "M", file: "C.h5") { "\($0)=\($1)" }
    }
    #expect(
      error?.description
        == "C.h5: the adapter was trained with another base model (xxxx, M is bbbb): give the base that it was trained "
        + "on; another chat template (yyyy, M has tttt): put the template of the training into that folder; another "
        + "min_pixels (784, here 3136): set min_pixels=784")
  }
}
