// Checkpoints: bytes that only the seal may look at, bytes under a right seal, and sound files of any values.
import Adapters
import Artifacts
import Digests
import Files
import Foundation
import HuggingFace
import Inspection
import QwenVL

extension FuzzTarget {
  private static let name = "step-00000003.h5"

  static let checkpoints: [FuzzTarget] = [
    FuzzTarget(
      name: "checkpoint-seal", dictionary: "hdf5", format: .bytes,
      seeds: { try [false, true].map { try saved(isLoRA: $0) } },
      read: { bytes in
        let path = WorkFolder.write("sealed.h5", bytes)
        let isSealed = if case .valid = try Seal.check(path) { true } else { false }
        // The seal is SHA-256: no input of these has a right one but the seeds themselves.
        guard !isSealed else { return }
        let isAccepted = Refusal.allowing { try CheckpointFolder.verify(path) } != nil
        require(!isAccepted, "a file without a right seal is taken for a checkpoint")
        require(Refusal.allowing { try AdapterSource.checkpoint(path).provenance() } == nil)
        try require(CheckpointFolder(WorkFolder.path).newest().name == nil, "the newest checkpoint has no right seal")
      }),
    sealed("checkpoint-bytes", seeds: { try [false, true].map { try saved(isLoRA: $0) } }, use: use),
    FuzzTarget(
      name: "checkpoint-values", dictionary: "json", format: .json,
      seeds: { [Array(imageLoRA.utf8), Array(lora.utf8)] },
      read: { bytes in
        let path = WorkFolder.path(name)
        let base = try Fixture.base.get()
        let text = String(decoding: bytes, as: UTF8.self).replacing("$BASE", with: base.digest)
        try HDF5Document(JSON(parsing: Array(text.utf8))).write(to: path)
        try Seal.append(to: path)
        try use(path)
      }),
  ]

  /// Everything that reads a checkpoint: alone, for a base, for a report's selection and a model card.
  private static func use(_ path: String) throws {
    let base = try Fixture.base.get()
    try CheckpointFolder.verify(path)
    _ = Refusal.allowing { try HDF5Kind(of: path) }
    _ = Refusal.allowing { try CheckpointDescription(path).lines }
    if let state = Refusal.allowing({ try TrainingState(reading: path, for: base) }) {
      require(state.parameters.count == state.layout.count && state.parameters.allSatisfy(\.isFinite))
      require(state.optimizer.expAvg.count == state.layout.count)
    }
    _ = Refusal.allowing { try AdapterSource.checkpoint(path).load(for: base) }
    let file = try CheckpointFile(path)
    _ = Refusal.allowing { try file.selection() }
    _ = Refusal.allowing { try file.provenance() }
    let (configuration, layout) = try file.adapter()
    _ = Refusal.allowing { try file.parameters(layout: layout) }
    _ = Refusal.allowing {
      try ModelCard(file, base: ModelCard.baseName(file), configuration: configuration, layout: layout)
    }
  }

  /// A checkpoint as training saves it, sealed.
  private static func saved(isLoRA: Bool) throws -> [UInt8] {
    let base = try Fixture.base.get()
    let heads = [0: [1, 2], 3: [0]]
    let configuration: AdapterConfiguration =
      isLoRA
      ? .lora(LoRAConfiguration(rank: 2, alpha: 4, targets: [1: [.query, .value]]))
      : .imageLoRA(ImageLoRAConfiguration(rank: 2, alpha: 4, normalization: .none, kvIndices: heads))
    let adapter: any Adapter<Float> = configuration.adapter(base.configuration.text, base.configuration.vision)
    adapter.load((0..<adapter.layout.count).map { Float($0 % 9) })
    let selection =
      isLoRA
      ? nil
      : HeadSelection.influence(
        scores: [[0, 2, 3, 0], [0, 0, 0, 0], [0, 0, 0, 0], [9, 0, 0, 0]], numHeads: 3, tau: 0, method: "influence/gate")
    let run = RunIdentity(
      digest: "run", yaml: "model: {path: M}", seed: 5, worldSize: 2, provenance: AdapterProvenance(of: base))
    var state = TrainingState(startOf: run, adapter: adapter, selection: selection)
    state.optimizer.step = 3
    state.metrics = [.init(step: 3, loss: 1.5, learningRate: 1e-3, gradientNorm: 2, tokens: 40)]
    state.best = .init(step: 3, loss: 1.25)
    try CheckpointStore(directory: WorkFolder.path, keep: 2).save(state)
    return Array(try readFile(WorkFolder.path(name), maximumBytes: 1 << 24))
  }

  private static let rest = #"""
    "/optimizer": {"step": 3}},
    "datasets": {
    "/run/yaml": {"type": "string", "shape": [], "values": ["model: {path: M}"]},
    "/metrics/step": {"type": "int64", "shape": [2], "values": [2, 3]},
    "/metrics/loss": {"type": "float64", "shape": [2], "values": [1.5, 1.25]},
    "/metrics/learning_rate": {"type": "float64", "shape": [2], "values": [0.001]},
    "/metrics/gradient_norm": {"type": "float64", "shape": [2], "values": [2.5]},
    "/metrics/tokens": {"type": "int64", "shape": [2], "values": [40]},
    """#
  private static let root = #"""
    {"attributes": {"/": {"schema_version": 1, "step": 3, "epoch": 0, "consumed_rows": 24, "world_size": 2, "seed": 5,
    "run_digest": "run", "base_digest": "$BASE", "best_step": 3, "best_validation_loss": 1.25, "complete": 1},
    "/adapter": {"alpha": 4.5, "rank": 2, "chat_template_digest": "t", "chat_template_variables": "{\"a\":1}",
    "min_pixels": 784, "max_pixels": 50176,
    "coordinates": "pixels", "transparency": "white", "exif_orientation": "ignore",
    """#

  private static let imageLoRA =
    root + #""normalization": "none"},"# + rest + #"""
      "/adapter/kv_indices/0": {"type": "int32", "shape": [2], "values": [1, 2]},
      "/adapter/kv_indices/3": {"type": "int32", "shape": [1], "values": [0]},
      "/influence/estimator": {"type": "string", "shape": [], "values": ["influence/gate"]},
      "/influence/selection": {"type": "string", "shape": [],
        "values": ["{\"kv_indices\": {\"0\": [1, 2], \"3\": [0]}, \"hkv\": {\"0\": 4, \"1\": 4, \"2\": 4, \"3\": 4}}"]},
      """#
    + tensors(["layers.0.A": "64, 2", "layers.0.B": "2, 2, 8", "layers.0.gamma": "1"])
    + "," + tensors(["layers.3.A": "64, 2", "layers.3.B": "1, 2, 8", "layers.3.gamma": "1"]) + "}}"

  private static let lora =
    root + #""kind": "lora"},"# + rest
    + tensors(["layers.1.q_proj.A": "2, 64", "layers.1.q_proj.B": "64, 2"])
    + "," + tensors(["layers.1.v_proj.A": "2, 64", "layers.1.v_proj.B": "32, 2"]) + "}}"

  private static func tensors(_ shapes: KeyValuePairs<String, String>) -> String {
    ["/adapter", "/optimizer/exp_avg", "/optimizer/exp_avg_sq"].flatMap { group in
      shapes.map { #""\#(group)/\#($0)": {"type": "float32", "shape": [\#($1)], "values": [0.5, 1]}"# }
    }.joined(separator: ",\n")
  }
}
