// Which linear modules a standard LoRA adapts, as a run file states it: names of projections, or words for many.
import Adapters
import HuggingFace
import QwenVL

/// `adapter.targets`: a word or a list of words.
package struct LoRATargets: Sendable, Equatable {
  /// In the order of `known`, each once.
  package let words: [String]

  /// All linear modules of the decoder's layers.
  static let allLinear = "all-linear"
  /// Linear modules of the vision tower: all, those of its blocks, of their attention, of their MLPs, of the mergers.
  static let tower = ["visual", "visual.blocks", "visual.attn", "visual.mlp", "visual.merger"]
  static let known = [allLinear] + Projection.allCases.map(\.rawValue) + tower

  package static let usual = LoRATargets(words: [allLinear])

  private init(words: [String]) { self.words = words }

  /// - Returns: nil for words that are not known, come twice, or are none.
  package init?(_ given: [String]) {
    // As in PEFT's patterns.
    let given = given.map { $0 == "visual.*" ? "visual" : $0 }
    guard !given.isEmpty, Set(given).count == given.count, given.allSatisfy(Self.known.contains) else { return nil }
    words = Self.known.filter(given.contains)
  }

  /// Projections of the decoder's layers.
  package var projections: [Projection] {
    words.contains(Self.allLinear) ? Projection.allCases : words.compactMap(Projection.init)
  }

  /// Whether there are any of a vision tower.
  package var reachesTower: Bool { words.contains(where: Self.tower.contains) }

  /// Modules of a vision tower.
  package func tower(_ vision: VisionConfiguration) -> [TowerModule] {
    vision.modules.filter { module in
      guard case .block = module.part else { return words.contains("visual") || words.contains("visual.merger") }
      let isAttention = [.queryKeyValue, .attentionOutput].contains(module.role)
      return words.contains("visual") || words.contains("visual.blocks")
        || words.contains(isAttention ? "visual.attn" : "visual.mlp")
    }
  }
}

extension LoRATargets: Value {
  static var expectation: String { "one or a list of " + known.joined(separator: ", ") }
  init?(_ scalar: Scalar, folder: String) { self.init([scalar.text]) }
  init?(list: [Scalar]) { self.init(list.map(\.text)) }
  var yaml: String { "[\(words.joined(separator: ", "))]" }
}

/// `adapter.rank_pattern` and `adapter.alpha_pattern`.
extension PEFTPatterns: Value where Number: Value & PatternNumber {
  static var expectation: String {
    "\(Number.patternWords) by names of modules, as {down_proj: 4}; a name may be the end of one, or a regular expression"
  }
  init?(_ scalar: Scalar, folder: String) { nil }
  init?(mapping: [(key: String, value: Scalar)]) {
    let entries = mapping.compactMap { key, scalar in
      Number(scalar, folder: "").flatMap { $0.isAcceptable ? (key: key, value: $0) : nil }
    }
    guard entries.count == mapping.count, !entries.isEmpty else { return nil }
    self.init()
    do { for (key, value) in entries { try append(key, value) } } catch { return nil }
  }
  var yaml: String { "{\(entries.map { "\(doubleQuoted($0.key)): \($0.value.yaml)" }.joined(separator: ", "))}" }
}

/// A rank or an alpha.
protocol PatternNumber {
  static var patternWords: String { get }
  var isAcceptable: Bool { get }
}

extension Int: PatternNumber {
  static var patternWords: String { "integers from 1 to 1024" }
  var isAcceptable: Bool { (1...1024).contains(self) }
}

extension Double: PatternNumber {
  static var patternWords: String { "numbers above 0" }
  var isAcceptable: Bool { self > 0 && isFinite }
}
