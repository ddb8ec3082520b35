// The domain's words for adapters and for how heads are chosen; run files, checkpoints and adapter folders share them.
import HuggingFace

/// What an adapter is.
package enum AdapterKind: String, Sendable, CaseIterable {
  /// On the value projection, at visual tokens, in selected KV heads (arXiv 2512.19219).
  case imageLoRA = "image_lora"
  /// Standard LoRA on whole projections, at all tokens (arXiv 2106.09685).
  case lora
}

/// Which heads an Image-LoRA may act on, by the kind of their layer.
package enum ValueHeads: String, Sendable, CaseIterable {
  /// KV heads of full attention.
  case attention
  /// Value heads of linear attention.
  case linear
  case both

  /// The kind of the heads that layers have.
  /// - Parameters:
  ///   - capacity: how many each layer has.
  ///   - linear: layers whose heads are value heads of linear attention.
  package init(capacity: [Int], linear: [Int]) {
    let hasOthers = capacity.enumerated().contains { $1 > 0 && !linear.contains($0) }
    self = linear.isEmpty ? .attention : hasOthers ? .both : .linear
  }

  /// What one of these heads is called.
  package var word: String {
    switch self {
    case .attention: "KV head"
    case .linear: "value head"
    case .both: "KV or value head"
    }
  }

  /// What several of them are called.
  package var words: String { self == .both ? "KV and value heads" : word + "s" }

  /// Heads of each layer that there are of this kind.
  package func capacity(_ text: TextConfiguration) -> [Int] {
    (0..<text.layers).map { layer in
      let isMeant = self == .both || (self == .linear) == text.isLinear(layer)
      return isMeant ? text.valueHeads(of: layer).count : 0
    }
  }
}

/// Factor of an Image-LoRA layer's delta in addition to alpha / rank.
package enum Normalization: String, Sendable, CaseIterable {
  /// `1 / sqrt(|S_l|)`, so that layers with few and with many heads move alike (method: selection-size normalization).
  case inverseSqrtSelected = "inverse_sqrt_selected"
  case none
}

/// How a head's influence is estimated from its gradient.
package enum Estimator: String, Sendable, CaseIterable {
  /// The mean of `rank1` over all its projections, in closed form: sum over examples of the squared norm of the
  /// gradient of the head's rows of the value projection at visual tokens, the trace of its empirical Fisher
  /// information.
  case fisher
  /// Sum over examples of the squared norm of dL/dB of a rank-1 probe with a random projection (the paper's).
  case rank1
  /// Sum over examples of the squared gradient of a gate on the head (the authors' code).
  case gate
}

/// How the heads of an Image-LoRA are chosen.
package enum SelectionMethod: String, Sendable, CaseIterable {
  case influence, all, random
  case perLayer = "per_layer"
  case file
  /// The heads of least influence, for ablation.
  case lowest
}
