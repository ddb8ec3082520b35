// The layer budgets of a run file's selection of heads, before any probe.
import Artifacts
import Costs
import HuggingFace
import RunFile

extension LayerBudgets {
  /// The worst case, and where a probe will choose the heads the best one.
  /// - Throws: `FileError` for a selection file that does not fit.
  static func planned(
    _ adapter: RunConfiguration.Adapter, _ text: TextConfiguration
  ) throws -> (worst: LayerBudgets, best: LayerBudgets?) {
    try adapter.requireHeads(text)
    let (heads, budget, first) = (adapter.heads, adapter.budget(text), adapter.fromLayer)
    let all = adapter.capacity(text)
    let capacity = HeadSelection.upper(all, from: first)
    func known(_ selection: HeadSelection) -> (LayerBudgets, LayerBudgets?) {
      (LayerBudgets(heads: selection.kvIndices.map(\.count)), nil)
    }
    switch heads.select {
    case .influence, .lowest: return (even(budget, capacity: capacity), fewestLayers(budget, capacity: capacity))
    case .all: return known(.all(capacity: all, fromLayer: first))
    case .random:
      return known(.random(numHeads: budget, seed: heads.seed, capacity: all, fromLayer: first))
    case .perLayer:
      return (LayerBudgets(heads: capacity.map { min(heads.perLayer ?? 1, $0) }), nil)
    case .file:
      return known(try HeadSelection(reading: heads.file?.resolved ?? "", of: text, adapter.valueHeads ?? .attention))
    }
  }
}
