// The state of a run that has only begun.
import Adapters
import QwenVL
import Units

extension TrainingState {
  /// The state of one rank beside a base, without history.
  package init(startOf base: BaseModel, adapter: any Adapter<Float>, optimizer: AdamW, selection: HeadSelection?) {
    self.init(
      step: optimizer.step, epoch: 0, consumedRows: 0, worldSize: 1, seed: 0, runDigest: "", runYAML: "",
      provenance: Provenance(of: base), adapter: adapter.configuration, parameters: adapter.parameters.values,
      optimizer: optimizer, selection: selection, metrics: [], best: nil)
  }
}
