// safetensors files and the index of shards.
import Files
import HuggingFace

extension FuzzTarget {
  private static let index = "model.safetensors.index.json"
  private static let shards = ["one.safetensors", "two.safetensors"]

  static let weights: [FuzzTarget] = [
    FuzzTarget(
      name: "safetensors", dictionary: "safetensors", format: .safetensors,
      seeds: {
        try [
          "ParityTests/Resources/a/adapter/probe.safetensors", "ParityTests/Resources/b/adapter/adapter.safetensors",
          "ParityTests/Resources/peft-b/adapter/adapter_model.safetensors",
        ].map(Fixture.bytes) + [shard("a", 6), shard("b", 0)]
      },
      read: { use(try Checkpoint(file: WorkFolder.write("model.safetensors", $0))) }),
    FuzzTarget(
      name: "weights-index", dictionary: "safetensors",
      format: .files([index: .json, shards[0]: .safetensors, shards[1]: .safetensors]),
      seeds: {
        let map = #"{"metadata": {"total_size": 40}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}"#
        return [
          FilesInput([(index, Array(map.utf8)), (shards[0], shard("a", 6)), (shards[1], shard("b", 4))]).bytes
        ]
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: [index] + shards).files)
        let checkpoint = try Checkpoint(folder: WorkFolder.path)
        use(checkpoint)
        _ = FullDigest.kept(of: checkpoint, folder: WorkFolder.path)
      }),
  ]

  /// A file of one matrix of two columns.
  private static func shard(_ name: String, _ rows: Int) -> [UInt8] {
    let tensor = SafetensorsWriter.Tensor(name: name, shape: [rows, 2], values: (0..<2 * rows).map(Float.init))
    return (try? SafetensorsWriter.encode([tensor])).map(Array.init) ?? []
  }

  /// Everything that is asked of weights: names, shapes, values, both digests.
  private static func use(_ checkpoint: Checkpoint) {
    _ = (checkpoint.byteCount, checkpoint.elementTypes, checkpoint.notices)
    for name in checkpoint.names {
      let shape = checkpoint.shape(of: name) ?? []
      let values: [Float]? = Refusal.allowing { try checkpoint.tensor(name, shape: shape).values() }
      require(
        values.map { $0.count == shape.reduce(1, *) } ?? true, "\(name): values are not as many as its shape")
    }
    require(checkpoint.digest.utf8.count == 64 && checkpoint.fullDigest().utf8.count == 64)
    _ = checkpoint.unclaimed
  }
}
