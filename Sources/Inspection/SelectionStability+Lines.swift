// How far a selection depends on what was probed, as tables for people.
import Formatting

extension SelectionStability {
  /// What is compared, and its numbers from left to right.
  private typealias Line = (name: String, cells: [String])

  /// A table for each file, and one of the pairs where there are several.
  package var lines: [String] {
    let random = percent(randomOverlap)
    let head = [
      "\(numHeads) of \(heads) heads by \(estimator.rawValue); as many random heads overlap by \(random)",
      "\(resamples) draws of each size, seed \(seed)",
    ]
    var tables = files.map { file in
      [title("\(file.file): \(file.rows) examples")]
        + file.sizes.map { line("  \($0.rows) examples\($0.withReplacement ? ", with replacement" : "")", $0) }
        + [line("  halves of \(file.halves.rows) examples", file.halves), line("  rank1 and gate", file.estimators)]
    }
    if !pairs.isEmpty {
      tables.append(
        [title("all examples of two files")]
          + pairs.map { line("  \($0.files.joined(separator: " and "))", $0.agreement) })
    }
    let width = tables.joined().map(\.name.count).max() ?? 0
    return head + tables.flatMap { [""] + $0.map { aligned($0, width: width) } }
  }

  private func title(_ name: String) -> Line { (name, ["correlation", "5%..95%", "overlap", "5%..95%"]) }

  private func line(_ name: String, _ draws: Draws) -> Line {
    let (correlation, overlap) = (draws.correlation, draws.overlap)
    return (
      name,
      [
        fixed(correlation.mean, 3), "\(fixed(correlation.p5, 3))..\(fixed(correlation.p95, 3))",
        percent(overlap.mean), "\(percent(overlap.p5))..\(percent(overlap.p95))",
      ]
    )
  }

  private func line(_ name: String, _ agreement: SelectionAgreement) -> Line {
    (name, [fixed(agreement.correlation, 3), "", percent(agreement.overlap)])
  }

  private func aligned(_ line: Line, width: Int) -> String {
    padded(line.name, to: width) + zip(line.cells, [14, 17, 11, 17]).map { rightAligned($0, to: $1) }.joined()
  }
}
