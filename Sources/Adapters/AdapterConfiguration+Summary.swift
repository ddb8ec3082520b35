// An adapter's kind and options in a few words, for logs and listings.

extension AdapterConfiguration {
  /// As `Image-LoRA rank 8, alpha 16.0, inverse_sqrt_selected` or `LoRA rank 8, alpha 16.0, all tokens, 4 layers,
  /// q_proj`.
  package var summary: String {
    switch self {
    case .imageLoRA(let options):
      "Image-LoRA rank \(options.rank), alpha \(options.alpha), \(options.normalization.rawValue)"
    case .lora(let options):
      "LoRA rank \(options.rank), alpha \(options.alpha), all tokens, \(options.targets.count) layers, "
        + options.projections.map(\.rawValue).joined(separator: " ")
    }
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
