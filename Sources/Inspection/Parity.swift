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
/// - Parameters:
///   - linearFolder: an adapter on value heads of linear attention: its numbers alone and beside the other's.
///   - warn: takes lines about images that are used nevertheless.
/// - Throws: the error of the first model file, example, adapter file or write that fails.
package func writeParity(
  model: String, data: String, adapter folder: String, linearAdapter linearFolder: String? = nil, output: String,
  seed: UInt64, precision: Precision, warn: (String) -> Void = { _ in }
) throws {
  let base = try BaseModel(folder: model, precision: precision)
  base.notices.forEach(warn)
  let root = URL(fileURLWithPath: data).deletingLastPathComponent().path
  let examples = try ExampleReader(imageRoot: root).read(data).examples
  let samples = try base.sampleBuilder(maxLength: base.configuration.text.maxPositionEmbeddings)
  let text = base.configuration.text
  let adapter = try AdapterFolder.load(folder, base: text, base.configuration.vision)
  func probe(_ folder: String, _ heads: ValueHeads) throws -> InfluenceProbe<Float> {
    InfluenceProbe(
      text: text,
      projections: try AdapterFolder.probe(folder, base: text, heads: heads)
        ?? InfluenceProbe.seededProjections(text: text, seed: seed),
      heads: heads)
  }
  var parts = [ParityPart("adapted", [("", adapter)])]
  var probes = [("influence", try probe(folder, .attention))]
  if let linearFolder {
    let linear = try AdapterFolder.load(linearFolder, base: text)
    parts += [
      ParityPart("adapted_linear", [("", linear)]),
      ParityPart("adapted_both", [("attention/", adapter), ("linear/", linear)]),
    ]
    probes.append(("influence_linear", try probe(linearFolder, .linear)))
  }
  try File.replace(output) { file in
    try file.setAttribute("schema_version", to: Int64(1))
    for example in try examples.flatMap({ try samples.samples(of: $0).map(\.example) }) {
      let numbers = try ParityExample(example, base: base, samples: samples, parts: parts, probes: probes)
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

/// Adapters that act together, and where their numbers go.
private struct ParityPart {
  let name: String
  /// The group of each adapter's gradients within the part's.
  let adapters: [(group: String, adapter: any Adapter<Float>)]
  let joined: any ProjectionAdapter<Float>

  init(_ name: String, _ adapters: [(group: String, adapter: any Adapter<Float>)]) {
    (self.name, self.adapters) = (name, adapters)
    joined = JoinedAdapters(adapters.map(\.adapter))
  }
}

/// Adapters of visual tokens, or a single one of any tokens, as one.
private final class JoinedAdapters: ProjectionAdapter {
  private let adapters: [any Adapter<Float>]
  init(_ adapters: [any Adapter<Float>]) { self.adapters = adapters }

  var tokens: AdaptedTokens { adapters[0].tokens }
  var lowestLayer: Int? { adapters.compactMap(\.lowestLayer).min() }
  var tower: (any TowerAdapter<Float>)? { adapters.count == 1 ? adapters[0].tower : nil }
  func adapts(_ layer: Int, _ projection: Projection) -> Bool { adapters.contains { $0.adapts(layer, projection) } }

  func forward(
    layer: Int, _ projection: Projection, input: Matrix<Float>, output: Matrix<Float>, rows: AdaptedRows
  ) {
    for adapter in adapters { adapter.forward(layer: layer, projection, input: input, output: output, rows: rows) }
  }

  func backward(
    layer: Int, _ projection: Projection, input: Matrix<Float>, values: Matrix<Float>?, dOutput: Matrix<Float>,
    rows: AdaptedRows, dInput: Matrix<Float>?
  ) {
    for adapter in adapters {
      adapter.backward(
        layer: layer, projection, input: input, values: values, dOutput: dOutput, rows: rows, dInput: dInput)
    }
  }
}

/// All numbers of one example.
private struct ParityExample {
  typealias Gradient = (name: String, shape: [Int], values: [Float])

  let id: String
  let sample: Sample
  let pixels: [ProcessedImage]
  /// The base's, then those of each part.
  let parts: [(name: String, logits: Matrix<Float>, loss: SampleLoss, gradients: [Gradient])]
  let influence: [(name: String, probe: InfluenceProbe<Float>, gate: [Float], rank1: [Float])]

  init(
    _ example: Example, base model: BaseModel, samples: SampleBuilder, parts: [ParityPart],
    probes: [(String, InfluenceProbe<Float>)]
  ) throws {
    id = example.id
    let sample = try samples.sample(for: example)
    self.sample = sample
    pixels = try samples.images(of: example, for: sample)
    func packed(_ adapter: any ProjectionAdapter<Float>) throws -> PackedBatch {
      let images = try model.learnedFeatures(of: example, sample: sample, adapter: adapter)
      let packed = PackedBatch([SampleGroup([sample], features: images.features, passes: images.passes)])
      // Base and adapted numbers are compared, so they come from passes over the same tokens.
      return parts[0].joined.tokens == .all ? packed.withoutPrefixCache : packed
    }
    let features = try model.features(of: example, sample: sample, adapter: nil)
    let plain = PackedBatch([sample], features: features)
    let batch = parts[0].joined.tokens == .all ? plain.withoutPrefixCache : plain
    let frozen = model.model.head.logits(model.hidden(batch, adapter: nil))
    self.parts =
      try [("base", frozen, model.loss(batch, adapter: nil)[0], [])]
      + parts.map { part in
        let batch = try packed(part.joined)
        for (_, adapter) in part.adapters { adapter.resetGradients() }
        let loss = model.lossAndGradient(batch, adapter: part.joined)[0]
        let gradients = part.adapters.flatMap { group, adapter in
          let mean = adapter.gradients.values.map { $0 / Float(loss.tokens) }
          return adapter.layout.tensors.map { (group + $0.name, $0.shape, Array(mean[$0.range])) }
        }
        return (part.name, model.model.head.logits(model.hidden(batch, adapter: part.joined)), loss, gradients)
      }
    influence = probes.map { name, probe in
      let (gate, rank1, _) = model.influence(of: batch, probe: probe)[0]
      return (name, probe, gate, rank1)
    }
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
    for part in parts {
      try file.write(
        part.logits.values, shape: [part.logits.rows, part.logits.columns], to: "/\(id)/\(part.name)/logits")
      try file.setAttribute("nll_sum", of: "/\(id)/\(part.name)", to: part.loss.nll)
      try file.setAttribute("tokens", of: "/\(id)/\(part.name)", to: Int64(part.loss.tokens))
      for gradient in part.gradients {
        try file.write(
          gradient.values, shape: gradient.shape, to: "/\(id)/\(part.name)/gradients/\(gradient.name)")
      }
    }
    for (name, probe, gate, rank1) in influence {
      let (layers, heads) = (probe.gateGradient.rows, probe.gateGradient.columns)
      try file.write(gate, shape: [layers, heads], to: "/\(id)/\(name)/gate_gradient")
      try file.write(
        rank1, shape: [layers, heads, probe.rank1Gradient.columns / heads], to: "/\(id)/\(name)/rank1_gradient")
    }
  }
}
