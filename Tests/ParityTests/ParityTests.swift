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
  /// Resources/qwen2-vl: Qwen2-VL, otherwise as a. Resources/qwen3-vl: Qwen3-VL, otherwise as b; deepstack after the
  /// first two layers. Resources/qwen3.5-a, -b: Qwen3.5, as a and b, with linear attention in most layers. Each with
  /// one image (as it is, and resized), two images, two turns and a text-only example; Qwen3.5 also with thoughts, and
  /// with branches for answers of earlier turns.
  @Test(
    "ids are equal, pixels within 0.01 levels, all else within 1e-4 of the tensor's largest value",
    arguments: ["a", "b", "qwen2-vl", "qwen3-vl", "qwen3.5-a", "qwen3.5-b"])
  func everyRung(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path)
    let reference = try File.open(fixture.file("parity.h5"))
    let ours = try File.open(written.path)
    let comparison = try Comparison(reference, ours)
    #expect(comparison.rungs == Set(Rung.allCases), "every kind of number was compared")
    let linear = preset.hasPrefix("qwen3.5") ? ["adapted_linear", "adapted_both", "influence_linear"] : []
    #expect(comparison.parts == Set(["base", "adapted", "influence"] + linear))
    for difference in comparison.differences { Issue.record("\(difference)") }
  }

  /// Resources/peft-a: rank 4 on q, k, v and o over a's model. Resources/peft-b: rank 3 on v alone, rank-stabilised,
  /// over b's model. Resources/peft-qwen3: rank 4 on all four over qwen3-vl's. Resources/peft-mlp: rank 4 on the
  /// decoder layers' seven over a's, by a regular expression. Resources/peft-qwen3.5: rank 2 on all projections over
  /// qwen3.5-b's. Resources/peft-linear-*: rank 1 on all linear modules of decoder and vision tower over each family's
  /// model, in fp64; over qwen3-vl's rank-stabilised and with ranks and alphas of single modules. Written by PEFT, with
  /// text-only examples.
  @Test(
    "a LoRA folder of PEFT gives PEFT's logits, losses and gradients within 1e-4 of the tensor's largest value",
    arguments: [
      ("peft-a", "a", 4 * 8), ("peft-b", "b", 6 * 2), ("peft-qwen3", "qwen3-vl", 6 * 8), ("peft-mlp", "a", 4 * 14),
      ("peft-qwen3.5", "qwen3.5-b", 2 * 14 + 4 * 16), ("peft-linear-a", "a", 100),
      ("peft-linear-qwen2-vl", "qwen2-vl", 92), ("peft-linear-qwen3-vl", "qwen3-vl", 120),
      ("peft-linear-qwen3.5-a", "qwen3.5-a", 160),
    ])
  func peft(name: String, base: String, tensors: Int) throws {
    let fixture = try Fixture(name, base: base)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path)
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

  /// Of an example's adapter gradient as one vector. Last bits of fp32 decide which numbers round the other way, and
  /// a small random model amplifies that, so a single example's cosine is partly chance; a fixture's mean is steadier.
  /// Where 0.999 is more than bf16 GEMMs give, PyTorch's autocast says what they do (Resources/bf16-autocast.json, by
  /// scripts/parity-fixtures/bf16_cosines.py).
  @Test(
    "in bf16 gradients have a mean cosine of 0.9995 to fp32's; each has 0.999, or that of PyTorch's autocast",
    arguments: ["a", "b", "qwen2-vl", "qwen3-vl", "qwen3.5-a", "qwen3.5-b"])
  func bfloat16(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path, precision: .bfloat16)
    let reference = try File.open(fixture.file("parity.h5"))
    let ours = try File.open(written.path)
    let autocast = try #require(try Fixture.autocastCosines()[preset])
    var cosines: [Double] = []
    for row in try reference.children(of: "/") where try reference.exists("/\(row)/pixel_values") {
      func gradient(_ file: borrowing File) throws -> [Double] {
        try file.children(of: "/\(row)/adapted/gradients").sorted().flatMap { name in
          try file.read(Float.self, from: "/\(row)/adapted/gradients/\(name)", maximumCount: 1 << 24).values
        }.map(Double.init)
      }
      let (a, b) = (try gradient(reference), try gradient(ours))
      func product(_ x: [Double], _ y: [Double]) -> Double { zip(x, y).reduce(0) { $0 + $1.0 * $1.1 } }
      let cosine = product(a, b) / (product(a, a) * product(b, b)).squareRoot()
      let least = min(0.999, try #require(autocast[row]))
      #expect(a.count == b.count && cosine >= least, "\(row): \(cosine), PyTorch's autocast \(autocast[row] ?? 0)")
      #expect(a != b, "bf16 differs, so this test tells them apart")
      cosines.append(cosine)
    }
    #expect(cosines.count >= 3)
    #expect(cosines.reduce(0, +) / Double(cosines.count) >= 0.9995, "\(cosines)")
  }

  @Test("without images the adapter changes no bit", arguments: ["a", "qwen3-vl", "qwen3.5-a"])
  func textOnly(preset: String) throws {
    let fixture = try Fixture(preset)
    let written = try TemporaryFile()
    try fixture.writeParity(to: written.path)
    let file = try File.open(written.path)
    func bits(_ path: String) throws -> [UInt32] {
      try file.read(Float.self, from: path, maximumCount: 1 << 24).values.map(\.bitPattern)
    }
    for part in ["adapted", "adapted_both"] where try file.exists("/text-only/\(part)") {
      #expect(try bits("/text-only/base/logits") == bits("/text-only/\(part)/logits"))
    }
    #expect(try bits("/single-0/base/logits") != bits("/single-0/adapted/logits"))
  }
}
