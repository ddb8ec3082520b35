// The whole model and the adapter against PyTorch and transformers, number by number.
import Foundation
import HDF5
import QwenVL
import Testing
import Inspection

@Suite("Parity with transformers")
struct ParityTests {
  /// Resources/a: fp32 weights, one shard, tied head, flat config.json, four decoder layers.
  /// Resources/b: bf16 weights in shards, own head, nested config.json, six layers, a head count that is no power of
  /// two.
  /// Resources/qwen3-vl: Qwen3-VL, otherwise as b; deepstack after the first two layers. Each with one image (as it is,
  /// and resized), two images, two turns and a text-only example.
  @Test(
    "ids are equal, pixels within 0.01 levels, all else within 1e-4 of the tensor's largest value",
    arguments: ["a", "b", "qwen3-vl"])
  func everyRung(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path)
    let reference = try File.open(fixture.file("parity.h5"))
    let ours = try File.open(written.path)
    let comparison = try Comparison(reference, ours)
    #expect(comparison.rungs == Set(Rung.allCases), "every kind of number was compared")
    for difference in comparison.differences { Issue.record("\(difference)") }
  }

  /// Resources/peft-a: rank 4 on q, k, v and o over a's model. Resources/peft-b: rank 3 on v alone, rank-stabilised,
  /// over b's model as `from_pretrained` loads it. Resources/peft-qwen3: rank 4 on all four over qwen3-vl's, loaded so
  /// too. Written by PEFT, with text-only examples.
  @Test(
    "a LoRA folder of PEFT gives PEFT's logits, losses and gradients within 1e-4 of the tensor's largest value",
    arguments: [("peft-a", "a", 4 * 8), ("peft-b", "b", 6 * 2), ("peft-qwen3", "qwen3-vl", 6 * 8)])
  func peft(name: String, base: String, tensors: Int) throws {
    let fixture = try Fixture(name, base: base)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path, rotaryFrequencies: .float32)
    let reference = try File.open(fixture.file("parity.h5"))
    let ours = try File.open(written.path)
    let comparison = try Comparison(reference, ours)
    #expect(
      comparison.rungs == [
        .baseLogits, .baseLoss, .baseTokens, .adaptedLogits, .adaptedLoss, .adaptedTokens, .gradientA, .gradientB,
      ])
    for difference in comparison.differences { Issue.record("\(difference)") }
    for row in try reference.children(of: "/") {
      let names = try reference.children(of: "/\(row)/adapted/gradients")
      #expect(try names.count == tensors && ours.children(of: "/\(row)/adapted/gradients") == names)
    }
    func logits(_ part: String) throws -> [Float] {
      try ours.read(Float.self, from: "/text-only/\(part)/logits", maximumCount: 1 << 24).values
    }
    #expect(relativeError(try logits("adapted"), try logits("base")) > 0.01, "it acts on text")
  }

  /// The references of bf16 weights had their rotary frequencies rounded to bf16 with the module; `from_pretrained`
  /// keeps them.
  @Test(
    "with unrounded rotary frequencies the base's logits are those of from_pretrained", arguments: ["b", "qwen3-vl"])
  func fromPretrained(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path, rotaryFrequencies: .float32)
    let reference = try File.open(fixture.file("from-pretrained.h5"))
    let ours = try File.open(written.path)
    let rounded = try File.open(fixture.file("parity.h5"))
    let rows = try reference.children(of: "/")
    #expect(rows == ["single-1", "text-only"])
    for row in rows {
      let (expected, shape) = try reference.read(Float.self, from: "/\(row)/base/logits", maximumCount: 1 << 24)
      func first(_ file: borrowing File) throws -> [Float] {
        let logits = try file.read(Float.self, from: "/\(row)/base/logits", maximumCount: 1 << 24).values
        return Array(logits.prefix(expected.count))
      }
      #expect(shape.count == 2 && expected.count >= 8 * 256)
      #expect(relativeError(try first(ours), expected) <= 1e-4)
      #expect(relativeError(try first(rounded), expected) > 1e-3, "the two ways differ, so this test tells them apart")
    }
  }

  /// Of an example's adapter gradient as one vector.
  @Test("in bf16 every example's gradient has a cosine of at least 0.999 to fp32's", arguments: ["a", "b", "qwen3-vl"])
  func bfloat16(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path, precision: .bfloat16)
    let reference = try File.open(fixture.file("parity.h5"))
    let ours = try File.open(written.path)
    var compared = 0
    for row in try reference.children(of: "/") where try reference.exists("/\(row)/pixel_values") {
      func gradient(_ file: borrowing File) throws -> [Double] {
        try file.children(of: "/\(row)/adapted/gradients").sorted().flatMap { name in
          try file.read(Float.self, from: "/\(row)/adapted/gradients/\(name)", maximumCount: 1 << 24).values
        }.map(Double.init)
      }
      let (a, b) = (try gradient(reference), try gradient(ours))
      func product(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
      let cosine = product(a, b) / (product(a, a) * product(b, b)).squareRoot()
      #expect(a.count == b.count && cosine >= 0.999, "\(row): \(cosine)")
      #expect(a != b, "bf16 differs, so this test tells them apart")
      compared += 1
    }
    #expect(compared >= 3)
  }

  @Test("without images the adapter changes no bit", arguments: ["a", "qwen3-vl"])
  func textOnly(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path)
    let file = try File.open(written.path)
    func bits(_ path: String) throws -> [UInt32] {
      try file.read(Float.self, from: path, maximumCount: 1 << 24).values.map(\.bitPattern)
    }
    #expect(try bits("/text-only/base/logits") == bits("/text-only/adapted/logits"))
    #expect(try bits("/single-0/base/logits") != bits("/single-0/adapted/logits"))
  }
}
