// imagelora rows: a benchmark's annotations as examples.
import ArgumentParser
import Datasets
import Files
import Foundation
import Preprocessing

struct RowsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rows",
    abstract: "Convert the annotations of ScreenSpot(-v2, -Pro) or RefCOCO(+, g) to examples.",
    discussion: """
      ScreenSpot is a list of {img_filename, bbox, instruction, data_type, data_source}, ScreenSpot-Pro of \
      {img_filename, bbox, instruction, img_size, id, application, group, platform, ui_type}. RefCOCO is a list of \
      refs (the JSON of refs(unc).p) with --instances instances.json. To evaluate on the result, set data.validation \
      to the output file and data.image_root to the folder of the images. ScreenSpot's metric is point in box, \
      RefCOCO's is IoU >= 0.5.

      A box must lie in its image, whose size img_size, instances.json or, with --image-root, the image itself states.

      Examples:
        imagelora rows screenspot_*_v2.json --answer point --output screenspot.jsonl
        imagelora rows screenspot_pro/*.json --answer point --output pro.jsonl --image-root images
        imagelora rows refs.json --instances instances.json --split testA --answer box --output testA.jsonl \\
          --prompt "Locate {} in this image and output its bbox coordinates in JSON."
      """)

  @Argument(help: ArgumentHelp("Annotation files of one benchmark.", valueName: "annotations.json")) var files: [String]
  @Option(help: "RefCOCO: the images and boxes, in COCO format.") var instances: String?
  @Option(help: "RefCOCO: the split to convert; all unless given.") var split: String?
  @Option(
    help: """
      ScreenSpot: what a box is, xywh ([x, y, width, height]) or xyxy ([x1, y1, x2, y2]), in pixels. Default: xyxy for \
      records with img_size, xywh for others.
      """)
  var box: BoxForm?
  @Option(help: ArgumentHelp("Compare boxes with the sizes of the images here.", valueName: "folder"))
  var imageRoot: String?
  @Option(help: "The form of the answer: point or box.") var answer: Annotation.Answer
  @Option(help: "The question; {} stands for the benchmark's instruction or expression.") var prompt = "{}"
  @Option(help: ArgumentHelp("The examples to write (JSON Lines).", valueName: "rows.jsonl")) var output: String

  func validate() throws {
    guard split == nil || instances != nil else {
      throw ValidationError("--split is for RefCOCO: also give --instances")
    }
    guard box == nil || instances == nil else {
      throw ValidationError("--box is for ScreenSpot: boxes of COCO's instances are xywh")
    }
  }

  func run() throws {
    try onFirstRank {
      let annotations = try read()
      guard !annotations.isEmpty else { throw DatasetError.empty(file: files.joined(separator: ", "), problems: []) }
      var text = Data()
      for annotation in annotations { text += try annotation.line(prompt: prompt, answer: answer) + Data("\n".utf8) }
      try saving(output) { try writeAtomically(text, to: output) }
      let unchecked = annotations.count(where: { $0.size == nil })
      say(
        "wrote \(output): \(annotations.count) examples; "
          + (unchecked == 0
            ? "all boxes lie in their images"
            : "\(unchecked) boxes were not compared with their images' sizes, which --image-root does"))
    }
  }

  private func read() throws -> [Annotation] {
    var sizes = ImageSizes(root: imageRoot)
    let coco = try instances.map { ($0, try Self.read($0)) }
    var annotations: [Annotation] = []
    var seen: [ExactString: String] = [:]
    for file in files {
      let data = try Self.read(file)
      let found =
        if let (name, instances) = coco {
          try Annotation.refCOCO(
            refs: data, name: file, instances: instances, instancesName: name, split: split, size: { try sizes[$0] })
        } else {
          try Annotation.screenSpot(data, name: file, form: box, size: { try sizes[$0] })
        }
      for annotation in found {
        guard let other = seen.updateValue(file, forKey: ExactString(annotation.id)) else { continue }
        throw FileError(
          file, "the id \(quoted(annotation.id)) is also in \(other)",
          remedy: "give each file once, under a name of its own")
      }
      annotations += found
    }
    return annotations
  }

  private static func read(_ file: String) throws -> Data { try readFile(file, maximumBytes: 1 << 32) }
}

/// The sizes of images in a folder, each read once from its file's header.
private struct ImageSizes {
  let root: String?
  private var known: [ExactString: Annotation.Size] = [:]

  init(root: String?) { self.root = root }

  /// The size of an image, nil without a folder.
  subscript(image: String) -> Annotation.Size? {
    mutating get throws {
      guard let root else { return nil }
      if let size = known[ExactString(image)] { return size }
      let path = image.utf8.first == UInt8(ascii: "/") ? image : root + "/" + image
      let size = try ImageDecoder.size(of: .file(path))
      let found = Annotation.Size(width: size.width, height: size.height)
      known[ExactString(image)] = found
      return found
    }
  }
}

extension BoxForm: ExpressibleByArgument {}
extension Annotation.Answer: ExpressibleByArgument {}
