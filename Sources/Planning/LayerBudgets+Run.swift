// The layer budgets of a run file's selection of heads, before any probe.
import Artifacts
import Costs
import HuggingFace
import RunFile

extension LayerBudgets {
  /// The worst case, and where a probe will choose the heads the best one.
  /// - Throws: `FileError` for a selection file that does not fit.
  static func planned(
    _ heads: RunConfiguration.Heads, _ text: TextConfiguration
  ) throws -> (worst: LayerBudgets, best: LayerBudgets?) {
    let budget = heads.budget(text)
    func known(_ selection: HeadSelection) -> (LayerBudgets, LayerBudgets?) {
      (LayerBudgets(heads: selection.kvIndices.map(\.count)), nil)
    }
    switch heads.select {
    case .influence, .lowest: return (even(budget, text), fewestLayers(budget, text))
    case .all: return known(.all(capacity: text.headCapacity))
    case .random:
      return known(.random(numHeads: budget, seed: heads.seed, capacity: text.headCapacity))
    case .perLayer:
      return (LayerBudgets(heads: text.headCapacity.map { min(heads.perLayer ?? 1, $0) }), nil)
    case .file: return known(try HeadSelection(reading: heads.file?.resolved ?? "", text: text))
    }
  }
}
