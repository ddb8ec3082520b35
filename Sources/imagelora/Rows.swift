// imagelora rows: a benchmark's annotations as examples.
import ArgumentParser
import Datasets
import Files
import Foundation

struct RowsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rows",
    abstract: "Convert the annotations of ScreenSpot(-v2) or RefCOCO(+, g) to examples.",
    discussion: """
      ScreenSpot is a list of {img_filename, bbox, instruction, data_type, data_source}. RefCOCO is a list of refs \
      (the JSON of refs(unc).p) with --instances instances.json. To evaluate on the result, set data.validation to \
      the output file and data.image_root to the folder of the images. ScreenSpot's metric is point in box, RefCOCO's \
      is IoU >= 0.5.

      Examples:
        imagelora rows screenspot_*_v2.json --answer point --output screenspot.jsonl
        imagelora rows refs.json --instances instances.json --split testA --answer box --output testA.jsonl \\
          --prompt "Locate {} in this image and output its bbox coordinates in JSON."
      """)

  @Argument(help: ArgumentHelp("Annotation files of one benchmark.", valueName: "annotations.json")) var files: [String]
  @Option(help: "RefCOCO: the images and boxes, in COCO format.") var instances: String?
  @Option(help: "RefCOCO: the split to convert; all unless given.") var split: String?
  @Option(help: "The form of the answer: point or box.") var answer: Annotation.Answer
  @Option(help: "The question; {} stands for the benchmark's instruction or expression.") var prompt = "{}"
  @Option(help: ArgumentHelp("The examples to write (JSON Lines).", valueName: "rows.jsonl")) var output: String

  func validate() throws {
    guard split == nil || instances != nil else {
      throw ValidationError("--split is for RefCOCO: also give --instances")
    }
  }

  func run() throws {
    try onRanks { communicator in
      guard communicator.rank == 0 else { return }
      let boxes = try instances.map { ($0, try Self.read($0)) }
      let annotations = try files.flatMap { file in
        let data = try Self.read(file)
        guard let (instancesName, instances) = boxes else { return try Annotation.screenSpot(data, name: file) }
        return try Annotation.refCOCO(
          refs: data, name: file, instances: instances, instancesName: instancesName, split: split)
      }
      guard !annotations.isEmpty else { throw DatasetError.empty(file: files.joined(separator: ", "), problems: []) }
      var text = Data()
      for annotation in annotations { text += try annotation.line(prompt: prompt, answer: answer) + Data("\n".utf8) }
      try saving(output) { try writeAtomically(text, to: output) }
      say("wrote \(output): \(annotations.count) examples")
    }
  }

  private static func read(_ file: String) throws -> Data {
    do {
      return try Data(contentsOf: URL(fileURLWithPath: file))
    } catch {
      throw DatasetError.unreadable(file: file, reason: error.localizedDescription)
    }
  }
}

extension Annotation.Answer: ExpressibleByArgument {}
