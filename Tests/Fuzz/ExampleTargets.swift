// Files of examples: their rows, the samples made of them, and benchmarks' annotations that become rows.
import Batches
import Datasets
import Files
import Foundation
import HuggingFace
import Preprocessing

extension FuzzTarget {
  private static let annotationFiles = ["instances.json", "records.json"]

  static let examples: [FuzzTarget] = [
    FuzzTarget(
      name: "examples", dictionary: "examples", format: .jsonLines, seeds: rows,
      read: { bytes in
        let data = Data(bytes)
        for (policy, ids, confined) in [(BadExamplePolicy.strict, ExampleIDs.own, true), (.skip, .line, false)] {
          var reader = ExampleReader(
            imageRoot: WorkFolder.path, confined: confined, policy: policy, ids: ids, ignoredKeys: ["note"],
            system: confined ? nil : "Be brief.")
          if !confined { reader.name = "file" }
          guard let dataset = Refusal.allowing({ try reader.read(data, name: "rows.jsonl") }) else { continue }
          for problem in dataset.problems {
            require(!problem.description.utf8.contains(UInt8(ascii: "\n")), "a problem of several lines")
          }
          let groups = imageGroups(of: dataset.examples) { $0.examples.count }
          require(groups.reduce(0) { $0 + $1.examples.count } == dataset.examples.count, "an example in no group")
        }
      }),
    FuzzTarget(
      name: "packed-examples", dictionary: "examples", format: .bytes, seeds: packedRows,
      read: { bytes in
        let reader = ExampleReader(imageRoot: WorkFolder.path, policy: .skip)
        let dataset = try reader.read(Data(bytes), name: "rows.jsonl.gz")
        require(dataset.parts.map(\.examples) == [dataset.examples.indices], "examples of no file")
      }),
    FuzzTarget(
      name: "samples", dictionary: "examples", format: .jsonLines, seeds: rows,
      read: { bytes in
        let builders = [try Fixture.base.get().sampleBuilder(maxLength: 4096), try thinking()]
        let reader = ExampleReader(imageRoot: "Tests/\(Fixture.parity[0])", policy: .skip)
        for row in try reader.read(Data(bytes), name: "rows.jsonl").examples {
          for builder in builders {
            let found = Refusal.allowing { try builder.samples(of: row) } ?? []
            for (example, sample) in found {
              require(
                sample.inputIDs.count <= 4096 && sample.labels.count == sample.inputIDs.count,
                "a sample that is too long")
              require(sample.supervisedTokens > 0 && example.row.hasSameBytes(as: row.id), "a sample of nothing")
            }
            for example in found.map(\.example) + [row] {
              _ = Refusal.allowing { try builder.prompt(for: example) }
            }
          }
        }
      }),
    FuzzTarget(
      name: "annotations", dictionary: "examples",
      format: .files(Dictionary(uniqueKeysWithValues: annotationFiles.map { ($0, .json) })),
      seeds: {
        let spots = #"""
          [{"img_filename": "web_1.png", "instruction": "the button", "bbox": [1, 2, 30, 40], "data_type": "icon",
            "data_source": "shop"}]
          """#
        let pro = #"""
          [{"img_filename": "a.png", "img_size": [640, 480], "instruction": "x", "bbox": [1, 2, 30, 40], "id": "p-1",
            "group": "CAD", "application": "vscode", "platform": "linux", "ui_type": "text"}]
          """#
        let refs = #"""
          [{"ref_id": 1, "ann_id": 7, "split": "val", "sentences": [{"sent_id": 3, "sent": "left man"}]}]
          """#
        let instances = #"""
          {"images": [{"id": 5, "file_name": "c.jpg", "width": 640, "height": 480}],
           "annotations": [{"id": 7, "image_id": 5, "bbox": [10.5, 20, 30.25, 40]}]}
          """#
        return [spots, pro].map { FilesInput([("records.json", Array($0.utf8))]).bytes } + [
          FilesInput([("instances.json", Array(instances.utf8)), ("records.json", Array(refs.utf8))]).bytes
        ]
      },
      read: { bytes in
        let input = FilesInput(bytes, names: annotationFiles)
        let records = Data(input["records.json"] ?? [])
        let spots = Refusal.allowing { try Annotation.screenSpot(records, name: "records.json") }
        let refs = Refusal.allowing {
          try Annotation.refCOCO(
            refs: records, name: "records.json", instances: Data(input["instances.json"] ?? []),
            instancesName: "instances.json", split: nil)
        }
        for annotation in (spots ?? []) + (refs ?? []) {
          for answer in Annotation.Answer.allCases {
            _ = try annotation.line(prompt: "Where is {}?", answer: answer)
          }
        }
      }),
  ]

  /// Two rows as lines and as an array, in gzip and zstd; two gzip members of stored bytes.
  @Sendable private static func packedRows() throws -> [[UInt8]] {
    [
      "H4sIAAAAAAACA03LMQ6AIBQD0J1jdOYEXsU4oP4YEgWlMBjy7+53MY7tazviigEBHoeQYRNiGDtK3sX6RilGS05VUrXigvpPAxlZg8F/MkMndR1Xk3Jb"
        + "XkyL8MyJ72mFugf6aq4CdgAAAA==",
      "KLUv/QRYrQIAAoYSF4C36RT1k9BjE/pY8t/FTEidsKiTFKkQxNr4Zs0xlGi7+D4gJsiKWIG1IJmSerTF1sh3MkzmFNuITb5JOGgFuMtBaVnYLt/GsQoC"
        + "AEadQ6FQUIFHTyo=",
      "H4sIAAAAAAACA4uuViosTS2qVLJSSlbSUSpKLS7IzytOBXJTlGp1uBSqlTLzikuKSpNLMvPzgKKpQEWZeQWlJUB2GpCdX1oC4aQr1cYCAKUua1hNAAAA",
      "KLUv/QRYNQIAckQPF5C1LQZk1UprJIDUfnO2/4MdarJ6bgACxPrQNdvGt+7Jso3faYqSRZqyrITA1sU3pjQnIdom3wGEC1gNAQEAAwwzChUnM2w=",
      "H4sIAAAAAAAEAwF2AIn/eyJpZCI6ImEiLCJtZXNzYWdlcyI6W3sicm9sZSI6InVzZXIiLCJjb250ZW50IjoicSJ9LHsicm9sZSI6ImFzc2lzdGFudCIs"
        + "ImNvbnRlbnQiOiJiIn1dfQp7InF1ZXJ5IjoiYyIsInJlc3BvbnNlIjoiZCJ9CvpqrgJ2AAAAH4sIAAAAAAACAwMAAAAAAAAAAAA=",
    ].map { Array(Data(base64Encoded: $0) ?? Data()) }
  }

  /// A tokenizer that knows the tokens of thoughts and tools.
  private static let thoughts = Result { try Tokenizer(folder: "Tests/HuggingFaceTests/Resources/qwen3.5") }

  /// Under a template with thoughts and tools. Its syntax tree must go with each input: the sanitizer does not follow
  /// Swift's tagged pointers and takes one that stays for a leak.
  private static func thinking() throws -> SampleBuilder {
    try SampleBuilder(
      encoding: try thoughts.get(),
      template: try ChatTemplate(folder: "Tests/HuggingFaceTests/Resources/qwen3-vl-thinking"),
      processor: try ImageProcessor(PreprocessorConfiguration()), maxLength: 4096)
  }

  @Sendable private static func rows() throws -> [[UInt8]] {
    let lines = try Fixture.bytes("ParityTests/Resources/a/data.jsonl")
    let pixel =
      "iVBORw0KGgoAAAANSUhEUgAAAAsAAAAJAQAAAADMH+uAAAAAJElEQVR42mMIOsCgcYBhzQKG6AUMpxoY7h1gyGtgiH7AkPAAAIkPCpOCWBe6AAAAAElFTkSuQmCC"
    let forms = [
      #"{"id": 7, "image": "images/0.png", "conversations": [{"from": "human", "value": "<image>What?"}, {"from": "gpt", "value": "A"}]}"#,
      #"{"images": ["images/0.png"], "messages": [{"role": "user", "content": "<image>Where is <ref>?"}, {"role": "assistant", "content": "<bbox>", "loss": true}], "objects": {"ref": ["x"], "bbox": [[1, 2, 30, 40]], "bbox_type": "real", "width": [640], "height": [480]}, "group": {"task": "t"}}"#,
      #"{"system": "Be brief.", "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,\#(pixel)"}, "min_pixels": 784}, {"type": "text", "text": "a"}]}, {"role": "assistant", "content": "b", "weight": 1}], "_note": 1}"#,
      #"{"images": [{"path": "images/1.jpg", "resized_height": 56, "resized_width": 84}], "messages": [{"role": "user", "content": "<image>\\<image> <point>"}, {"role": "assistant", "content": "<|box_start|>(1,2),(3,4)<|box_end|>"}], "objects": {"bbox": [[0.5, 0.5]], "bbox_type": "norm1", "image_id": [0]}}"#,
    ]
    let pairs =
      #"{"instruction": "a", "input": "<image>b", "output": "c", "system": "d", "history": [["e", "f"]], "images": ["images/0.png"]}"#
      + "\n" + #"{"query": "a", "response": "b", "history": [["c", "<image>d"]], "image": "images/1.jpg", "input": ""}"#
    let tools =
      #"{"tools": "[{\"name\": \"f\"}]", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]}"#
    let thoughts =
      #"{"id": "t", "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "c"}, {"role": "user", "content": "d"}, {"role": "assistant", "content": "<think>\\ne\\n</think>\\n\\nf"}]}"#
    let calls =
      #"{"tools": [{"name": "f"}], "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "thinking": "b", "tool_calls": [{"function": {"name": "f", "arguments": {"x": 1.5}}}]}, {"role": "tool", "tool_call_id": "1", "content": "c"}, {"role": "assistant", "content": "d"}]}"#
    return [
      lines, Array(pairs.utf8), Array(tools.utf8), Array(thoughts.utf8), Array(calls.utf8),
      Array("[\(forms.joined(separator: ",\n"))]".utf8),
    ] + forms.map { Array($0.utf8) }
  }
}
