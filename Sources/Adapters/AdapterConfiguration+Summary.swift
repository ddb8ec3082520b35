// An adapter's kind and options in a few words, for logs and listings.

extension AdapterConfiguration {
  /// As `Image-LoRA rank 8, alpha 16.0, inverse_sqrt_selected` or `LoRA rank 8, alpha 16.0, all tokens, 4 layers,
  /// q_proj`.
  package var summary: String {
    switch self {
    case .imageLoRA(let options):
      "Image-LoRA rank \(options.rank), alpha \(options.alpha), \(options.normalization.rawValue)"
    case .lora(let options): "LoRA rank \(options.rank), alpha \(options.alpha), all tokens, \(options.listing)"
    }
  }
}

extension LoRAConfiguration {
  /// The kinds of modules that it adapts, as `q_proj`, `visual.blocks`.
  package var kinds: [String] {
    let parts = Set(tower.map { if case .block = $0.part { "visual.blocks" } else { "visual.merger" } })
    return projections.map(\.rawValue) + parts.sorted()
  }

  /// What it adapts, as `4 layers, q_proj; vision tower, 8 modules; 3 of another rank or alpha`.
  package var listing: String {
    var parts =
      targets.isEmpty
      ? [] : ["\(targets.count) layers, " + projections.map(\.rawValue).joined(separator: " ")]
    if !tower.isEmpty { parts.append("vision tower, \(tower.count) modules") }
    let others = Set(ranks.keys).union(alphas.keys).count
    if others > 0 { parts.append("\(others) of another rank or alpha") }
    return parts.joined(separator: "; ")
  }
}

extension [Int: [Int]] {
  /// Heads by layer as `3[0,2] 5[1]`.
  package var listing: String {
    sorted { $0.key < $1.key }.map { layer, heads in
      "\(layer)[\(heads.map(String.init).joined(separator: ","))]"
    }.joined(separator: " ")
  }
}
