// imagelora prepare: what every start of a run would find out about its examples, found out once.
import ArgumentParser
import Batches
import Collectives
import Datasets
import Files
import Training

struct Prepare: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check a run's examples once and for all, so that its starts are fast.",
    discussion: """
      Makes every example's tokens, decodes every image once, and keeps what that shows in the folder of data.prepared. \
      train, probe and evaluate with the same rows, images and settings then start without doing it again: at a million \
      rows in about a second instead of a minute. Without this command the first of them does it. Rows must be files of \
      JSON Lines or JSON, or packs (imagelora pack).

      Examples:
        imagelora prepare run.yaml
        mpirun -n 16 imagelora prepare run.yaml --set data.prepared=prepared
      """)

  @OptionGroup var options: RunOptions

  func run() throws {
    try onRanks { communicator in
      let (run, base) = try options.configuration(communicator).openBase(communicator, warn: complain)
      guard let folder = run.data.prepared else {
        throw RankFailure(
          shared: FileError(
            run.path, "data.prepared names no folder",
            remedy: "add it to the run file, or give --set data.prepared=FOLDER"))
      }
      for files in [run.trainingFiles, run.validationFiles].compactMap({ $0 }) {
        let examples = try run.prepareExamples(files, base: base, communicator: communicator, warn: nil)
        guard examples.isKept else {
          throw RankFailure(
            shared: FileError(
              files.title, "compressed rows and tar archives are prepared at each start and cannot be kept",
              remedy: "unpack them, or put them into one file with imagelora pack"))
        }
        guard communicator.rank == 0 else { continue }
        examples.remarks.forEach(say)
        say(
          "\(files.title): \(examples.count) examples, "
            + (examples.isKnown ? "prepared before in" : "prepared; kept in") + " \(folder.resolved)")
      }
    }
  }
}
