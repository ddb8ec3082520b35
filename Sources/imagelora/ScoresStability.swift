// imagelora scores stability: how far a selection depends on the examples, the estimator and the probe.
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
      abstract: "Measure how far the selected heads depend on the examples that were probed.",
      discussion: """
        Computed from the values of the examples, without the model. The comparisons are: random samples of n examples \
        against all examples; two halves of the examples against each other; rank1 against gate; and, for several \
        files of one base model (other examples, seeds or data), each pair of files. A sample as large as the file is \
        drawn with replacement (redrawn), a smaller one without. Correlation is Spearman's over the scores of all KV \
        heads. Overlap is the share of selected heads that both selections have. 5%..95% is the range of nine samples \
        in ten.

        If samples of n examples overlap nearly 100%, n examples are enough to probe. Samples of most of the examples \
        agree with all of them in any case. Halves have no example in common: if they overlap little more than random \
        heads do, probe more examples.

        Examples:
          imagelora scores stability all.h5 --num-heads 18
          imagelora scores stability a.h5 b.h5 --sizes 32,64 --json stability.json
        """)

    @Argument(help: ArgumentHelp("Scores files of one base model.", valueName: "scores.h5")) var files: [String]
    @OptionGroup var options: SelectionOptions

    @Option(
      help: ArgumentHelp("Sample sizes; by default 8, 16, 32, ... and all examples.", valueName: "n,..."),
      transform: Self.sizes)
    var sizes: [Int]?

    @Option(help: ArgumentHelp("Number of samples of each size.", valueName: "n")) var resamples = 200
    @Option(help: "Seed of the samples.") var seed: UInt64 = 0
    @Option(help: ArgumentHelp("Also write the results to this file (JSON).", valueName: "file")) var json: String?

    func validate() throws {
      guard resamples > 0 else { throw ValidationError("--resamples \(resamples): draw at least one sample") }
    }

    private static func sizes(_ text: String) throws -> [Int] {
      let sizes = text.split(separator: ",", omittingEmptySubsequences: false).map { Int($0) ?? 0 }
      guard sizes.allSatisfy({ $0 > 0 }) else { throw ValidationError("give numbers from 1 on, as in 8,16,32") }
      return sizes
    }

    func run() throws {
      try onFirstRank {
        let scores = try files.map { (file: $0, scores: try InfluenceScores(reading: $0, notice: complain)) }
        // Where one of several files is older, all are compared by what it has.
        let shared = Estimator.allCases.first { one in scores.allSatisfy { $0.scores.estimators.contains(one) } }
        let estimator = options.estimator ?? shared ?? .rank1
        for (file, scores) in scores { _ = try options.estimator(of: scores, file) }
        let first = try scores.map { try options.fromLayer(of: $0.scores, $0.file) }.max() ?? 0
        let stability = try SelectionStability(
          of: scores, estimator: estimator, sizes: sizes, resamples: resamples, seed: seed
        ) { options.selection(from: $0, by: estimator, fromLayer: first) }
        stability.lines.forEach(say)
        if let json {
          try saving(json) { try writeAtomically(Data((try jsonDocument(stability) + "\n").utf8), to: json) }
          say("\nwrote \(json)")
        }
      }
    }
  }
}
