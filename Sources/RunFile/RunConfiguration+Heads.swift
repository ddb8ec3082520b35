// What the run file leaves to the model: how many heads there are, how many of them are selected, and which layers have
// the projections of a LoRA.
import Adapters
import HuggingFace
import QwenVL

extension RunConfiguration.Adapter {
  /// Heads of each layer that an Image-LoRA may act on.
  package func capacity(_ text: TextConfiguration) -> [Int] { (valueHeads ?? .attention).capacity(text) }

  /// What those heads are called.
  package var headWords: String { (valueHeads ?? .attention).words }

  /// The lowest layer whose heads are selected.
  package var fromLayer: Int { heads.fromLayer ?? 0 }

  /// Whether the run keeps its adapter out of the lowest layers, whose work is then done once an example.
  package var isOfUpperLayers: Bool {
    kind == .imageLoRA ? fromLayer > 0 : layers?.numbers.first ?? 0 > 0 && targets?.reachesTower != true
  }

  /// Selected heads over all layers: as stated, or a quarter of all, at least one; the same number where only upper
  /// layers have them, if there are as many.
  package func budget(_ text: TextConfiguration) -> Int {
    let all = capacity(text)
    return heads.numHeads ?? max(1, min(all.reduce(0, +) / 4, all.dropFirst(fromLayer).reduce(0, +)))
  }

  /// - Throws: `RunFileError.value` for more heads than the model has, and layers that it has not.
  package func requireHeads(_ text: TextConfiguration) throws(RunFileError) {
    let capacity = Array(capacity(text).dropFirst(fromLayer))
    if kind == .imageLoRA, let first = heads.fromLayer, !capacity.contains(where: { $0 > 0 }) {
      throw .value(
        place: "run file", key: "adapter.heads.from_layer", value: "\(first)",
        expected: "at most \(self.capacity(text).lastIndex { $0 > 0 } ?? 0), the last layer with \(headWords)")
    }
    guard kind == .imageLoRA, capacity.contains(where: { $0 > 0 }) else { return }
    let from = heads.fromLayer.map { " from layer \($0) on" } ?? ""
    try require(heads.numHeads, "num_heads", atMost: capacity.reduce(0, +), from)
    try require(heads.perLayer, "per_layer", atMost: capacity.max() ?? 0, " in a layer" + from)
  }

  private func require(_ wanted: Int?, _ key: String, atMost most: Int, _ place: String) throws(RunFileError) {
    guard let wanted, wanted > most else { return }
    throw .value(
      place: "run file", key: "adapter.heads.\(key)", value: "\(wanted)",
      expected: "at most \(most): this model has no more \(headWords)\(place)")
  }

  /// The standard LoRA.
  /// - Throws: `RunFileError.value` for a projection that no layer has, a pattern that matches no adapted module, and
  ///   where nothing is adapted.
  package func lora(_ text: TextConfiguration, _ vision: VisionConfiguration? = nil) throws(RunFileError)
    -> LoRAConfiguration
  {
    let targets = targets ?? .usual
    let known = Set((0..<text.layers).flatMap(text.projections))
    if let other = targets.words.compactMap(Projection.init).first(where: { !known.contains($0) }) {
      let names = Projection.allCases.filter(known.contains).map(\.rawValue).joined(separator: ", ")
      throw .value(
        place: "run file", key: "adapter.targets", value: other.rawValue,
        expected: "projections that this model has: \(names)")
    }
    if let last = self.layers?.last, last >= text.layers {
      throw .value(
        place: "run file", key: "adapter.layers", value: "\(last)", expected: "layers from 0 to \(text.layers - 1)")
    }
    let layers = (self.layers?.numbers ?? Array(0..<text.layers)).map {
      ($0, text.projections(of: $0).filter(targets.projections.contains))
    }
    var options = LoRAConfiguration(
      rank: rank, alpha: stabilized(alpha, rank: rank), targets: Dictionary(uniqueKeysWithValues: layers),
      tower: vision.map(targets.tower) ?? [])
    try setPatterns(&options)
    return options
  }

  /// The alpha with which alpha / rank is the factor of a module.
  private func stabilized(_ alpha: Double, rank: Int) -> Double { rslora ? alpha * Double(rank).squareRoot() : alpha }

  /// Ranks and alphas of single modules, by the names that current transformers gives them, as PEFT matches them.
  private func setPatterns(_ options: inout LoRAConfiguration) throws(RunFileError) {
    var effort = PEFTEffort()
    var used: (ranks: Set<Int>, alphas: Set<Int>) = ([], [])
    for module in options.modules {
      let name = module.name()
      do throws(PEFTPattern.Problem) {
        let rank = try rankPattern?.first(matching: name, &effort)
        let alpha = try alphaPattern?.first(matching: name, &effort)
        if let rank { used.ranks.insert(rank.place) }
        if let alpha { used.alphas.insert(alpha.place) }
        let (r, a) = (rank?.value ?? self.rank, alpha?.value ?? self.alpha)
        options.set(module, rank: r, alpha: stabilized(a, rank: r))
      } catch {
        throw .conflict(
          place: "run file", keys: ["adapter.rank_pattern", "adapter.alpha_pattern"],
          problem: "a regular expression \(error.text); give names of modules")
      }
    }
    let unused =
      (rankPattern?.entries.enumerated().first { !used.ranks.contains($0.offset) }).map { ("rank", $0.element.key) }
      ?? (alphaPattern?.entries.enumerated().first { !used.alphas.contains($0.offset) }).map {
        ("alpha", $0.element.key)
      }
    if let (which, key) = unused {
      throw .value(
        place: "run file", key: "adapter.\(which)_pattern", value: key,
        expected: "the end of the name of a module that is adapted, as down_proj or layers.0.mlp.down_proj")
    }
  }
}
