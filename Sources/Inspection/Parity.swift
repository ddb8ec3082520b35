// The parity file: one group an example with everything that another implementation must reproduce.
import Adapters
import Artifacts
import Batches
import Datasets
import Foundation
import HDF5
import HuggingFace
import Preprocessing
import QwenVL
import Tensors

/// Computes the numbers of all examples and writes them.
/// - Parameter warn: takes lines about images that are used nevertheless.
/// - Throws: the error of the first model file, example, adapter file or write that fails.
package func writeParity(
  model: String, data: String, adapter folder: String, output: String, seed: UInt64,
  precision: Precision, rotaryFrequencies: QwenVLModel<Float>.RotaryFrequencies, warn: (String) -> Void = { _ in }
) throws {
  let base = try BaseModel(folder: model, precision: precision, rotaryFrequencies: rotaryFrequencies)
  base.notices.forEach(warn)
  let root = URL(fileURLWithPath: data).deletingLastPathComponent().path
  let examples = try ExampleReader(imageRoot: root).read(data).examples
  let samples = try base.sampleBuilder(maxLength: base.configuration.text.maxPositionEmbeddings)
  let adapter = try AdapterFolder.load(folder, base: base.configuration.text)
  let text = base.configuration.text
  let probe = InfluenceProbe<Float>(
    text: text,
    projections: try AdapterFolder.probe(folder, base: text)
      ?? InfluenceProbe.seededProjections(text: text, seed: seed))
  try File.replace(output) { file in
    try file.setAttribute("schema_version", to: Int64(1))
    for example in try examples.flatMap({ try samples.samples(of: $0).map(\.example) }) {
      let numbers = try ParityExample(example, base: base, samples: samples, adapter: adapter, probe: probe)
      try numbers.write(to: file)
      imageNotices(
        damaged: zip(example.images, numbers.pixels).compactMap { image, pixels in
          pixels.damage.map { (image: image, damage: $0) }
        }, turned: numbers.sample.turned.map { example.images[$0] }, reading: base.reading
      ).forEach(warn)
    }
    try base.requireUnchanged()
  }
}

/// All numbers of one example.
private struct ParityExample {
  let id: String
  let sample: Sample
  let pixels: [ProcessedImage]
  let base, adapted: (logits: Matrix<Float>, loss: SampleLoss)
  let gradients: [(tensor: AdapterLayout.Tensor, values: [Float])]
  let gate, rank1: [Float]
  let probe: InfluenceProbe<Float>

  init(
    _ example: Example, base model: BaseModel, samples: SampleBuilder, adapter: any Adapter<Float>,
    probe: InfluenceProbe<Float>
  ) throws {
    id = example.id
    let sample = try samples.sample(for: example)
    self.sample = sample
    pixels = try samples.images(of: example, for: sample)
    let features = try model.featureStore.features(of: example, sample: sample)
    let packed = PackedBatch([sample], images: .shared(features))
    // Base and adapted numbers are compared, so they come from passes over the same tokens.
    let batch = adapter.tokens == .all ? packed.withoutPrefixCache : packed
    base = (model.model.head.logits(model.hidden(batch, adapter: nil)), model.loss(batch, adapter: nil)[0])
    adapter.resetGradients()
    let loss = model.lossAndGradient(batch, adapter: adapter)[0]
    adapted = (model.model.head.logits(model.hidden(batch, adapter: adapter)), loss)
    let mean = adapter.gradients.values.map { $0 / Float(loss.tokens) }
    gradients = adapter.layout.tensors.map { ($0, Array(mean[$0.range])) }
    (gate, rank1) = model.influence(of: batch, probe: probe)
    self.probe = probe
  }

  func write(to file: borrowing File) throws {
    let T = sample.inputIDs.count
    try file.write(sample.inputIDs, shape: [T], to: "/\(id)/input_ids")
    try file.write(sample.labels, shape: [T], to: "/\(id)/labels")
    try file.write(sample.visualMask, shape: [T], to: "/\(id)/visual_mask")
    try file.write(sample.positionIDs.flatMap(\.self), shape: [3, T], to: "/\(id)/position_ids")
    if !pixels.isEmpty {
      let patches = pixels.flatMap(\.patches)
      let count = sample.grids.reduce(0) { $0 + $1.patches }
      try file.write(patches, shape: [count, patches.count / count], to: "/\(id)/pixel_values")
      let grids = sample.grids.flatMap { [Int32($0.t), Int32($0.h), Int32($0.w)] }
      try file.write(grids, shape: [sample.grids.count, 3], to: "/\(id)/image_grid_thw")
    }
    for (part, numbers) in [("base", base), ("adapted", adapted)] {
      try file.write(
        numbers.logits.values, shape: [numbers.logits.rows, numbers.logits.columns], to: "/\(id)/\(part)/logits")
      try file.setAttribute("nll_sum", of: "/\(id)/\(part)", to: numbers.loss.nll)
      try file.setAttribute("tokens", of: "/\(id)/\(part)", to: Int64(numbers.loss.tokens))
    }
    for (tensor, values) in gradients {
      try file.write(values, shape: tensor.shape, to: "/\(id)/adapted/gradients/\(tensor.name)")
    }
    try file.write(gate, shape: [probe.layers, probe.kvHeads], to: "/\(id)/influence/gate_gradient")
    try file.write(
      rank1, shape: [probe.layers, probe.kvHeads, probe.headDimension], to: "/\(id)/influence/rank1_gradient")
  }
}
