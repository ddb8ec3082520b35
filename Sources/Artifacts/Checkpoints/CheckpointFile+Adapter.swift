// What a checkpoint states about its adapter: kind, options and the shapes of its tensors. No model is needed.
import Adapters
import HDF5
import QwenVL

extension CheckpointFile {
  /// The adapter's options, and its layout, derived from the shapes of its tensors.
  /// - Throws: `HDF5Error`, or `FileError` for groups that contradict each other.
  package func adapter() throws -> (configuration: AdapterConfiguration, layout: AdapterLayout) {
    let kind =
      try file.hasAttribute("kind", of: "/adapter") ? file.attribute("kind", of: "/adapter", as: String.self) : nil
    guard kind == nil || kind == AdapterKind.lora.rawValue else {
      throw refuse("an adapter of kind \(kind ?? "") is unknown")
    }
    let rank = try integer("rank", of: "/adapter")
    let alpha = try file.attribute("alpha", of: "/adapter", as: Double.self)
    guard (1...Self.maximumWidth).contains(rank), alpha.isFinite else { throw refuse("rank \(rank) or alpha \(alpha)") }
    return try kind == nil ? imageLoRA(rank: rank, alpha: alpha) : lora(rank: rank, alpha: alpha)
  }

  private func imageLoRA(
    rank: Int, alpha: Double
  ) throws -> (configuration: AdapterConfiguration, layout: AdapterLayout) {
    let kvIndices = try heads("kv_indices")
    let valueHeadIndices = try file.exists("/adapter/value_head_indices") ? heads("value_head_indices") : [:]
    guard Set(kvIndices.keys).isDisjoint(with: valueHeadIndices.keys) else { throw refuse("a layer of both kinds") }
    let named = try file.attribute("normalization", of: "/adapter", as: String.self)
    guard let normalization = Normalization(rawValue: named) else {
      throw refuse("normalization \(named) is unknown")
    }
    let options = ImageLoRAConfiguration(
      rank: rank, alpha: alpha, normalization: normalization, kvIndices: kvIndices, valueHeadIndices: valueHeadIndices)
    guard let first = options.heads.keys.min() else { throw refuse("an empty selection") }
    let dimensions = try Dictionary(
      uniqueKeysWithValues: [kvIndices, valueHeadIndices].flatMap { indices -> [(Int, Int)] in
        // Heads of one kind are alike.
        guard let first = indices.keys.min() else { return [] }
        let dimension = try shape("layers.\(first).B", dimensions: 3, rank: rank)[2]
        return indices.keys.map { ($0, dimension) }
      })
    let layout = options.layout(hiddenSize: try shape("layers.\(first).A", dimensions: 2, rank: rank)[0]) {
      dimensions[$0] ?? 0
    }
    return (.imageLoRA(options), layout)
  }

  /// The heads of each layer in a group of `/adapter`.
  private func heads(_ group: String) throws -> [Int: [Int]] {
    var indices: [Int: [Int]] = [:]
    for name in try file.children(of: "/adapter/\(group)") {
      let heads = try file.read(
        Int32.self, from: "/adapter/\(group)/\(name)", maximumCount: Self.maximumHeads
      ).values
      guard let layer = Int(name), "\(layer)" == name, (0..<Self.maximumLayers).contains(layer), !heads.isEmpty,
        heads.allSatisfy({ (0..<Int32(Self.maximumHeads)).contains($0) }), Set(heads).count == heads.count
      else { throw refuse("\(group) of layer \(name) are not heads of a layer") }
      indices[layer] = heads.map(Int.init)
    }
    return indices
  }

  private func lora(rank: Int, alpha: Double) throws -> (configuration: AdapterConfiguration, layout: AdapterLayout) {
    var targets: [Int: [Projection]] = [:]
    var tower: [TowerModule] = []
    var sizes: [AdaptedModule: (rank: Int, alpha: Double, widths: ProjectionWidths)] = [:]
    for name in try file.children(of: "/adapter") {
      guard let (module, part) = AdaptedModule.parse(name), isInBounds(module) else {
        throw refuse("/adapter/\(name) is no tensor of a LoRA")
      }
      guard part == "A" else { continue }
      switch module {
      case .decoder(let layer, let projection): targets[layer, default: []].append(projection)
      case .tower(let module): tower.append(module)
      }
      let (a, b) = (try shape(name), try shape("\(module.name).B"))
      guard a[0] == b[1] else { throw refuse("/adapter/\(name) has rank \(a[0]), its B \(b[1])") }
      let path = "/adapter/\(name)"
      let own =
        try file.hasAttribute("alpha", of: path) ? file.attribute("alpha", of: path, as: Double.self) : alpha
      guard own.isFinite else { throw refuse("alpha \(own) of \(path)") }
      sizes[module] = (a[0], own, ProjectionWidths(input: a[1], output: b[0]))
    }
    guard !sizes.isEmpty else { throw refuse("no tensor of a LoRA") }
    var options = LoRAConfiguration(rank: rank, alpha: alpha, targets: targets, tower: tower)
    for (module, size) in sizes { options.set(module, rank: size.rank, alpha: size.alpha) }
    return (.lora(options), options.layout { sizes[$0]?.widths ?? ProjectionWidths(input: 0, output: 0) })
  }

  private func isInBounds(_ module: AdaptedModule) -> Bool {
    switch module {
    case .decoder(let layer, _): layer < Self.maximumLayers
    case .tower(let module): if case .block(let index) = module.part { index < Self.maximumLayers } else { true }
    }
  }

  /// The shape of a matrix of a LoRA.
  private func shape(_ name: String) throws -> [Int] { try shape(name, dimensions: 2, rank: Self.maximumRank) }

  private func shape(_ name: String, dimensions: Int, rank: Int) throws -> [Int] {
    let path = "/adapter/\(name)"
    let shape = try file.readShape(Float.self, of: path, maximumCount: Self.maximumWidth * rank)
    guard shape.count == dimensions, shape.allSatisfy({ (1...Self.maximumWidth).contains($0) }) else {
      throw refuse("\(path) has shape \(shape)")
    }
    return shape
  }
}
