// imagelora pack: rows and their images in one file.
import ArgumentParser
import Datasets
import Files

struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Put examples and their images into one HDF5 file.",
    discussion: """
      The file holds the rows as they are and the bytes of the images as they are in their files, each image once. Give \
      it to data.train or data.validation in place of the rows: results are the same. data.image_root is not needed \
      then. Images inside rows (base64) stay there.

      The file is written as NAME.partial and renamed when it is complete. Started again after a kill, with the same \
      rows and images, pack goes on with what is there. imagelora inspect FILE shows it, inspect FILE --verify reads all images and compares their digests.

      Examples:
        imagelora pack rows.jsonl --output train.h5
        imagelora pack rows.jsonl --image-root /data/screens --output train.h5
      """)

  @Argument(help: ArgumentHelp("The examples (JSON Lines, or one JSON array).", valueName: "rows.jsonl"))
  var rows: String
  @Option(help: ArgumentHelp("The file to write (HDF5).", valueName: "data.h5")) var output: String
  @Option(help: ArgumentHelp("Where relative image paths start, as data.image_root.", valueName: "folder"))
  var imageRoot = "."
  @Flag(help: "Also pack images that lie outside of that folder, as data.allow_outside.") var allowOutside = false
  @Flag(
    help: """
      Also pack rows that are no examples, as they are, and leave out images that cannot be read; for runs with \
      data.bad_rows: skip.
      """)
  var keepBadRows = false
  @Option(
    help: ArgumentHelp(
      "A key of rows that only annotates, as in data.ignore_keys; can be given several times.", valueName: "key"))
  var ignoreKey: [String] = []

  func run() throws {
    try onFirstRank {
      try checkWritable(output)
      let reader = ExampleReader(
        imageRoot: imageRoot, confined: !allowOutside, policy: keepBadRows ? .skip : .strict, ids: .line,
        ignoredKeys: ignoreKey)
      var reports = Progress()
      let packed = try ImagePack.write(rows, reader: reader, to: output) { done, all in
        reports.note("pack: \(done >> 20) of \(all >> 20) MiB")
      }
      packed.problems.prefix(5).forEach(complain)
      if packed.problems.count > 5 { complain("and \(packed.problems.count - 5) more") }
      if packed.kept > 0 { say("went on with \(output).partial: \(packed.kept) image files were there") }
      say("wrote \(output): \(packed.examples) examples, \(packed.images) images of \(packed.imageBytes) bytes")
    }
  }
}
