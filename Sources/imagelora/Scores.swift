// imagelora scores: merge the influence scores of shards, show them, select heads from them.
import Adapters
import ArgumentParser
import Artifacts
import Files
import Formatting
import Foundation
import Glibc
import HeatMaps
import Inspection
import Report

struct Scores: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Merge, show and compare the influence scores of imagelora probe, and select heads from them.",
    discussion: """
      A scores file holds the values of every example, so heads can be selected with any budget, temperature or \
      estimator without running the model again.

      Examples:
        imagelora scores merge part-0.h5 part-1.h5 --output all.h5
        imagelora scores show all.h5 --num-heads 18 --svg heat.svg
        imagelora scores select all.h5 --num-heads 18 --tau 0.5 --output kv_indices.json
        imagelora scores stability all.h5 --num-heads 18
      """,
    subcommands: [Merge.self, Show.self, Select.self, Stability.self])
}

/// How heads are selected from scores; the defaults are those of the run file.
struct SelectionOptions: ParsableArguments {
  @Option(help: ArgumentHelp("Number of heads over all layers; by default a quarter of all.", valueName: "k"))
  var numHeads: Int?

  @Option(
    help: ArgumentHelp(
      "The lowest layer whose heads are selected; by default the lowest that was probed.", valueName: "layer"))
  var fromLayer: Int?

  @Option(help: "Temperature of the layer budgets: 0 spreads heads evenly, 1 follows the influence.")
  var tau = 0.5

  @Option(
    help: "Influence estimator: fisher, the default; rank1 (the paper's, one draw of fisher); gate (the authors' code)."
  )
  var estimator: Estimator?

  @Option(help: ArgumentHelp("Select the best n heads of every layer, instead of a budget.", valueName: "n"))
  var perLayer: Int?

  func validate() throws {
    if let numHeads, numHeads < 1 { throw ValidationError("--num-heads \(numHeads): give at least 1") }
    if let fromLayer, fromLayer < 0 {
      throw ValidationError("--from-layer \(fromLayer): layers are counted from 0")
    }
    if let perLayer, perLayer < 1 { throw ValidationError("--per-layer \(perLayer): give at least 1") }
    guard (0...100).contains(tau) else { throw ValidationError("--tau \(tau): give a number from 0 to 100") }
    guard numHeads == nil || perLayer == nil else {
      throw ValidationError("--num-heads and --per-layer exclude each other: give one of them")
    }
  }

  /// The estimator that is asked for, or the usual one.
  /// - Throws: `FileError` for one that the file has no scores of.
  func estimator(of scores: InfluenceScores, _ file: String) throws -> Estimator {
    guard let estimator else { return scores.usualEstimator }
    guard scores.estimators.contains(estimator) else {
      throw FileError(
        file, "has no scores by \(estimator.rawValue): it was written before 0.3.0",
        remedy: "probe again, or take --estimator \(scores.usualEstimator.rawValue)")
    }
    return estimator
  }

  /// The lowest layer that is asked for, or else that was probed.
  /// - Throws: `FileError` for a layer that was not probed.
  func fromLayer(of scores: InfluenceScores, _ file: String) throws -> Int {
    let first = fromLayer ?? scores.fromLayer
    guard first >= scores.fromLayer else {
      throw FileError(
        file, "the probe measured layers from \(scores.fromLayer) on, --from-layer is \(first)",
        remedy: "leave --from-layer out, or probe again with adapter.heads.from_layer \(first)")
    }
    return first
  }

  func selection(from scores: InfluenceScores, _ file: String) throws -> HeadSelection {
    let (estimator, first) = (try estimator(of: scores, file), try fromLayer(of: scores, file))
    var selection = selection(from: scores.scores(estimator), by: estimator, fromLayer: first)
    selection.linearLayers = scores.linearLayers
    return selection
  }

  /// The selection from scores `[L][Hkv]`.
  func selection(from scores: [[Double]], by estimator: Estimator, fromLayer: Int) -> HeadSelection {
    if let perLayer { return .perLayer(perLayer, scores: scores, fromLayer: fromLayer) }
    let budget = numHeads ?? max(1, scores.reduce(0) { $0 + $1.count } / 4)
    return .influence(
      scores: scores, numHeads: budget, tau: tau, fromLayer: fromLayer, method: "influence/\(estimator.rawValue)")
  }
}

extension Estimator: ExpressibleByArgument {}

extension Scores {
  struct Merge: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Merge the shards of one probe into one file.",
      discussion: """
        The bytes of the result depend neither on the order nor on the number of shards: four shards give the same \
        file as one job. Shards of another base model, other data or another seed are refused, and so is an example \
        that is in two shards.

        Example:
          imagelora scores merge part-*.h5 --output all.h5
        """)

    @Argument(help: ArgumentHelp("The shards, in any order.", valueName: "scores.h5")) var files: [String]
    @Option(help: "The scores file to write (HDF5).") var output: String

    func run() throws {
      try onFirstRank {
        let scores = try InfluenceScores.merging(files.map { ($0, try InfluenceScores(reading: $0, notice: complain)) })
        try saving(output) { try scores.write(to: output) }
        let part = scores.shard == .whole ? "" : "; only parts \(scores.shard) of the probe"
        say("wrote \(output): \(scores.examples.count) examples on \(scores.probedWords)\(part)")
      }
    }
  }

  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Draw the influence of every head, and mark the heads that would be selected.",
      discussion: """
        The heat map has a row for each layer and a column for each head, on a logarithmic scale, with each layer's \
        total influence and its share at the right. It has colours on a terminal; elsewhere, or if NO_COLOR is set, it \
        has digits.

        Examples:
          imagelora scores show all.h5
          imagelora scores show all.h5 --estimator gate --tau 1 --svg heat.svg
        """)

    @Argument(help: ArgumentHelp("The scores file.", valueName: "scores.h5")) var file: String
    @OptionGroup var options: SelectionOptions
    @Option(help: "Also write the heat map, as reports show it, to this file (SVG).") var svg: String?
    /// What versions before wrote; kept for its error.
    @Option(help: .hidden) var png: String?
    @Flag(help: "Print scores and selection as one JSON document instead of the heat map.") var json = false

    func validate() throws {
      if let png { throw ValidationError("--png \(png): the heat map is drawn as SVG: give --svg FILE.svg") }
    }

    func run() throws {
      try onFirstRank {
        let scores = try InfluenceScores(reading: file, notice: complain)
        let selection = try options.selection(from: scores, file)
        if json {
          try sayJSON(ScoresDocument(scores: ScoresDescription(scores, file: file), selection: selection))
        } else {
          let part = scores.shard == .whole ? "" : " (parts \(scores.shard) of the probe)"
          let estimator = try options.estimator(of: scores, file)
          let from = scores.fromLayer > 0 ? " on the layers from \(scores.fromLayer) on" : ""
          say("\(file): influence (\(estimator.rawValue)) of \(scores.examples.count) examples\(from)\(part)")
          say("base \(scores.baseDigest.prefix(12)), data \(scores.dataDigest.prefix(12)), seed \(scores.seed)\n")
          HeatMap(selection).lines(Terminal.showsColours ? .colours : .digits).forEach(say)
        }
        if let svg {
          let title = "Influence of every \(scores.kind.word) on \(plural(scores.examples.count, "example"))"
          try saving(svg) { try HeatMapFigure(title: title, selection: selection).write(to: svg) }
          if !json { say("wrote \(svg)") }
        }
      }
    }
  }

  /// What `scores show --json` prints.
  private struct ScoresDocument: Encodable {
    let scores: ScoresDescription
    let selection: HeadSelection
  }

  struct Select: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Select heads and write the selection (JSON).",
      discussion: """
        Each layer's share of the heads is proportional to its total influence to the power tau. In each layer the \
        heads with the highest scores are selected. To train with the selection, set \
        adapter: {heads: {select: file, file: kv_indices.json}}.

        Examples:
          imagelora scores select all.h5 --num-heads 18 --tau 0.5 --output kv_indices.json
          imagelora scores select all.h5 --per-layer 1 --output kv_indices.json
        """)

    @Argument(help: ArgumentHelp("The scores file.", valueName: "scores.h5")) var file: String
    @OptionGroup var options: SelectionOptions
    @Option(help: "The selection to write (JSON).") var output: String

    func run() throws {
      try onFirstRank {
        let selection = try options.selection(from: InfluenceScores(reading: file, notice: complain), file)
        try saving(output) { try selection.write(to: output) }
        let layers = selection.adapted.count
        say("wrote \(output): \(selection.numHeads) \(selection.kind.words) in \(layers) layers (\(selection.method))")
      }
    }
  }
}

/// What kind of file standard output is.
enum Terminal {
  /// Whether it is a terminal on which colours are welcome (no-color.org).
  static var showsColours: Bool {
    let environment = ProcessInfo.processInfo.environment
    return isatty(STDOUT_FILENO) == 1 && (environment["NO_COLOR"] ?? "").isEmpty && environment["TERM"] != "dumb"
  }
}
