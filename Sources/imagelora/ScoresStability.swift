// imagelora scores stability: how far a selection depends on the rows, the estimator and the probe behind it.
import Adapters
import ArgumentParser
import Artifacts
import Files
import Formatting
import Foundation
import Inspection

extension Scores {
  struct Stability: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Say how far the chosen heads depend on the rows that were probed.",
      discussion: """
        From the rows' values alone, without the model: scores of n rows drawn at random, again and again, against \
        those of all rows; two halves of the rows against each other; rank1 against gate; and, of several files of one \
        base model (other rows, seeds or data), every two against each other. As many rows as the file has are drawn \
        with replacement (redrawn), fewer without. Correlation is Spearman's over all KV heads' scores, overlap the \
        share of the chosen heads that both choose; 5%..95% holds nine draws of ten.

        Where the overlap of few rows is near 100%, as few are enough to probe. A draw of most rows agrees with all of \
        them whatever they are; halves have no row in common: where they overlap little more than random heads, probe \
        more.

        Examples:
          imagelora scores stability all.h5 --num-heads 18
          imagelora scores stability a.h5 b.h5 --sizes 32,64 --json stability.json
        """)

    @Argument(help: ArgumentHelp("Scores files of one base model.", valueName: "scores.h5")) var files: [String]
    @OptionGroup var options: SelectionOptions

    @Option(
      help: ArgumentHelp("Rows of a draw; 8, 16, 32, ... and all rows unless stated.", valueName: "n,..."),
      transform: Self.sizes)
    var sizes: [Int]?

    @Option(help: ArgumentHelp("Draws of each size.", valueName: "n")) var resamples = 200
    @Option(help: "Seed of the draws.") var seed: UInt64 = 0
    @Option(help: ArgumentHelp("Write the numbers into this file too (JSON).", valueName: "file")) var json: String?

    func validate() throws {
      guard resamples > 0 else { throw ValidationError("--resamples \(resamples): draw at least once") }
    }

    private static func sizes(_ text: String) throws -> [Int] {
      let sizes = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      guard sizes.allSatisfy({ $0 > 0 }) else { throw ValidationError("give numbers from 1 on, as in 8,16,32") }
      return sizes
    }

    func run() throws {
      try onRanks { communicator in
        guard communicator.rank == 0 else { return }
        let stability = try SelectionStability(
          of: files.map { ($0, try InfluenceScores(reading: $0)) }, estimator: options.estimator, sizes: sizes,
          resamples: resamples, seed: seed, selecting: options.selection(from:))
        stability.lines.forEach(say)
        if let json {
          try saving(json) { try writeAtomically(Data((try jsonDocument(stability) + "\n").utf8), to: json) }
          say("\nwrote \(json)")
        }
      }
    }
  }
}
