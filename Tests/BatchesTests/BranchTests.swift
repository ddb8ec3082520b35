// Rows whose template writes earlier answers in another way: an example for each of them, packed behind common images.
import Collectives
import Datasets
import Files
import Foundation
import HuggingFace
import Preprocessing
import TestSupport
import Testing
import TinyModels

@testable import Batches

@Suite("Answers of one conversation as branches")
struct BranchTests {
  /// Qwen3.5's template in small: thoughts of answers before the last question are left out.
  private static let template = """
    {% set ns = namespace(last=0) %}{% for m in messages %}{% if m.role == 'user' %}{% set ns.last = loop.index0 %}\
    {% endif %}{% endfor %}{% for m in messages %}<|im_start|>{{ m.role }}
    {% if m.role == 'assistant' and loop.index0 > ns.last %}<think>
    {{ m.reasoning_content|default('') }}
    </think>

    {% endif %}{% if m.content is string %}{{ m.content }}{% else %}{% for c in m.content %}{% if c.type == 'image' %}\
    <|vision_start|><|image_pad|><|vision_end|>{% else %}{{ c.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>
    {% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
    <think>
    {% if enable_thinking is false %}{{ '\\n</think>\\n\\n' }}{% endif %}{% endif %}
    """

  private static func row(_ id: String, images: Bool, last: String = #""content": "A3""#) -> String {
    let files = ["0.png", "1.jpg"].map { #""\#(ParityFixture.path("qwen3-vl"))/images/\#($0)""# }.joined(separator: ",")
    let (first, second) = images ? ("<image>", "<image>") : ("", "")
    return #"{"id": "\#(id)", \#(images ? #""images": [\#(files)],"# : "") "messages": ["#
      + #"{"role": "user", "content": "\#(first)Q1"}, {"role": "assistant", "content": "A1", "thinking": "T1"}, "#
      + #"{"role": "user", "content": "\#(second)Q2"}, {"role": "assistant", "content": "A2 longer"}, "#
      + #"{"role": "user", "content": "Q3"}, {"role": "assistant", \#(last)}]}"#
  }

  private static func rows(_ lines: [String]) throws -> [Example] {
    try ExampleReader().read(Data(lines.joined(separator: "\n").utf8), name: "rows").examples
  }

  /// A fixture's model with another template.
  private static func base() throws -> (folder: TemporaryFolder, base: BaseModel) {
    let source = ParityFixture.path("qwen3-vl") + "/model"
    let folder = try TemporaryFolder(["chat_template.jinja": template])
    for name in try FileManager.default.contentsOfDirectory(atPath: source) where name != "chat_template.json" {
      try FileManager.default.copyItem(atPath: "\(source)/\(name)", toPath: folder.path(name))
    }
    return (folder, try BaseModel(folder: folder.path))
  }

  @Test("A row's examples in one batch give the losses and gradients that they give alone", arguments: [true, false])
  func together(images: Bool) throws {
    let (folder, base) = try Self.base()
    defer { withExtendedLifetime(folder) {} }
    let found = try base.sampleBuilder(maxLength: 4096).samples(of: Self.rows([Self.row("r", images: images)])[0])
    #expect(found.map(\.example.id) == ["r", "r@1", "r@3"] && Set(imageKeys(of: found.map(\.example))).count == 1)
    #expect(found.map(\.sample.frames.count) == (images ? [2, 1, 2] : [0, 0, 0]))
    let (examples, samples) = (found.map(\.example), found.map(\.sample))
    // In any order: the first has not the most images then.
    for order in [[0, 1, 2], [1, 0, 2]] {
      let features = try base.features(of: order.map { examples[$0] }, samples: order.map { samples[$0] }, adapter: nil)
      #expect(features.count == (images ? 2 : 0))
      let packed = PackedBatch(order.map { samples[$0] }, features: features)
      let tokens = samples.reduce(0) { $0 + $1.decisiveTokens }
      #expect(packed.slots().last.map { $0.own.upperBound < tokens } == true, "nothing is shared")
      let shape = BatchShape(order.map { ExampleShape(samples[$0]) })
      #expect(shape.visual == samples[0].visualMask.count { $0 == 1 } && shape.images.count == features.count)
    }
    if images {
      let features = try zip(examples, samples).map { try base.featureStore.features(of: $0, sample: $1) }
      for standard in [false, true] {
        try GroupedUnitTests.compare(base, samples, features, standard) { samples, features in
          PackedBatch(samples, features: features[0])
        }
      }
    }
  }

  private func prepared(_ lines: [String], isStrict: Bool = false) throws -> PreparedExamples {
    let (folder, base) = try Self.base()
    try folder.write("rows.jsonl", Array(lines.joined(separator: "\n").utf8))
    return try PreparedExamples(
      ExampleFiles(folder.path("rows.jsonl"), reader: ExampleReader(policy: .skip)), isStrict: isStrict,
      features: base.featureStore, communicator: SingleProcess()
    ) { try base.sampleBuilder(maxLength: 4096) }
  }

  @Test("Prepared examples are those of every row, each with its shape")
  func preparing() throws {
    let lines = [
      Self.row("a", images: true), Self.row("b", images: false),
      Self.row("c", images: false, last: #""content": "A3", "loss": false"#),
    ]
    let data = try prepared(lines, isStrict: true)
    #expect(try data.examples(0..<data.count).map(\.id) == ["a", "a@1", "a@3", "b", "b@1", "b@3", "c@1", "c@3"])
    #expect(data.shapes.map(\.images.count) == [2, 1, 2, 0, 0, 0, 0, 0])
    for (example, shape) in zip(try data.examples(0..<data.count), data.shapes) {
      #expect(try ExampleShape(data.samples.sample(for: example)) == shape)
    }
    #expect(data.keys == [0, 0, 0, 3, 3, 3, 6, 6])
    let group = ImageGroup(examples: [1, 0])
    #expect(data.tokens(of: group) == data.tokens[0] + data.tokens[1] - data.visualTokens[1])
  }

  @Test("An id that is taken by another row's answer is bad, and so is the whole row of a bad answer")
  func bad() throws {
    let data = try prepared([
      Self.row("a", images: false), Self.row("a@1", images: false), Self.row("b", images: false),
    ])
    #expect(data.problems.map(\.id) == ["a"] && data.problems[0].reason.contains("the id a@1 of one of its answers"))
    #expect(try data.examples(0..<data.count).map(\.id) == ["a@1", "a@1@1", "a@1@3", "b", "b@1", "b@3"])
    #expect(try data.examples(0..<data.count).map(\.row) == ["a@1", "a@1", "a@1", "b", "b", "b"])
  }
}
