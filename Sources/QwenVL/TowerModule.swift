// Linear modules of the vision tower, by their names in checkpoints, and the hook for what acts on them.
import HuggingFace
import Tensors

/// A linear module of the vision tower: of a block, of the merger after the last one, or of one of deepstack's.
package struct TowerModule: Hashable, Sendable {
  package enum Part: Hashable, Sendable { case block(Int), merger, deepstackMerger(Int) }

  package enum Role: Int, Hashable, Sendable {
    case queryKeyValue, attentionOutput
    /// Of a gated MLP.
    case gate, up, down
    /// Of an MLP or a merger without gate.
    case first, second
  }

  package let part: Part
  package let role: Role
  /// As in checkpoints of the model's family, from `visual.` on: `visual.blocks.0.attn.qkv`.
  package let name: String

  private static let ofBlocks: [(name: String, role: Role)] = [
    ("attn.qkv", .queryKeyValue), ("attn.proj", .attentionOutput), ("mlp.gate_proj", .gate), ("mlp.up_proj", .up),
    ("mlp.down_proj", .down), ("mlp.linear_fc1", .first), ("mlp.linear_fc2", .second), ("mlp.fc1", .first),
    ("mlp.fc2", .second),
  ]
  private static let ofMergers: [(name: String, role: Role)] = [
    ("linear_fc1", .first), ("linear_fc2", .second), ("mlp.0", .first), ("mlp.2", .second),
  ]
  private static let mergerName = "visual.merger."
  private static let (blocksName, deepstackName) = ("visual.blocks.", "visual.deepstack_merger_list.")

  /// The module of a name, nil for any other name.
  package init?(_ name: String) {
    /// What follows a list's name: a number, and the module in that element of the list.
    func element(of list: String) -> (index: Int, rest: String)? {
      guard name.utf8.starts(with: list.utf8) else { return nil }
      let parts = name.utf8.dropFirst(list.utf8.count).split(
        separator: UInt8(ascii: "."), maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, let index = Int(String(decoding: parts[0], as: UTF8.self)), (0..<65_536).contains(index),
        "\(index)".utf8.elementsEqual(parts[0])
      else { return nil }
      return (index, String(decoding: parts[1], as: UTF8.self))
    }
    func role(_ name: String, _ names: [(name: String, role: Role)]) -> Role? {
      names.first { $0.name.utf8.elementsEqual(name.utf8) }?.role
    }
    let found: (part: Part, role: Role?)
    if let (index, rest) = element(of: Self.blocksName) {
      found = (.block(index), role(rest, Self.ofBlocks))
    } else if let (index, rest) = element(of: Self.deepstackName) {
      found = (.deepstackMerger(index), role(rest, Self.ofMergers))
    } else if name.utf8.starts(with: Self.mergerName.utf8) {
      found = (
        .merger, role(String(decoding: name.utf8.dropFirst(Self.mergerName.utf8.count), as: UTF8.self), Self.ofMergers)
      )
    } else {
      return nil
    }
    guard let role = found.role else { return nil }
    (part, self.role, self.name) = (found.part, role, name)
  }

  /// The module of a tower.
  init(_ part: Part, _ role: Role, of vision: VisionConfiguration) {
    (self.part, self.role) = (part, role)
    // Of two names for a role, the towers with patches of Qwen2-VL and Qwen2.5-VL have the older one.
    let isOld = [.gatedSiLU, .quickGELU].contains(vision.mlp)
    func spelled(_ names: [(name: String, role: Role)], isLast: Bool) -> String {
      (isLast ? names.last { $0.role == role } : names.first { $0.role == role })?.name ?? ""
    }
    name =
      switch part {
      case .block(let index): "\(Self.blocksName)\(index).\(spelled(Self.ofBlocks, isLast: vision.mlp == .quickGELU))"
      case .merger: Self.mergerName + spelled(Self.ofMergers, isLast: isOld)
      case .deepstackMerger(let index): "\(Self.deepstackName)\(index).\(spelled(Self.ofMergers, isLast: isOld))"
      }
  }

  package static func == (a: Self, b: Self) -> Bool { a.part == b.part && a.role == b.role }
  package func hash(into hasher: inout Hasher) {
    hasher.combine(part)
    hasher.combine(role)
  }

  /// A number of its own, the same whatever else there is.
  package var stream: UInt64 {
    let place =
      switch part {
      case .block(let index): index
      case .merger: 1 << 16
      case .deepstackMerger(let index): 1 << 17 + index
      }
    return 1 << 32 + UInt64(place) << 3 + UInt64(role.rawValue)
  }
}

extension VisionConfiguration {
  /// All linear modules, the blocks' first.
  package var modules: [TowerModule] {
    let mlp: [TowerModule.Role] = mlp == .gatedSiLU ? [.gate, .up, .down] : [.first, .second]
    let mergers: [TowerModule.Part] = [.merger] + deepstackBlocks.indices.map { .deepstackMerger($0) }
    return (0..<depth).flatMap { block in
      ([.queryKeyValue, .attentionOutput] + mlp).map { TowerModule(.block(block), $0, of: self) }
    } + mergers.flatMap { part in [.first, .second].map { TowerModule(part, $0, of: self) } }
  }

  /// Columns of a module's input and output.
  package func widths(_ module: TowerModule) -> (input: Int, output: Int) {
    let (H, I) = (hiddenSize, intermediateSize)
    let joined = H * spatialMergeSize * spatialMergeSize
    if case .block = module.part {
      return switch module.role {
      case .queryKeyValue: (H, 3 * H)
      case .attentionOutput: (H, H)
      case .gate, .up, .first: (H, I)
      case .down, .second: (I, H)
      }
    }
    return (joined, module.role == .first ? joined : outHiddenSize)
  }
}

/// Something that acts on the output of the tower's linear modules.
package protocol TowerAdapter<Element>: AnyObject {
  associatedtype Element: Scalar

  func adapts(_ part: TowerModule.Part, _ role: TowerModule.Role) -> Bool

  /// Adds to a module's output.
  /// - Parameters:
  ///   - input: the module's input, `[N, in]`.
  ///   - output: its output, `[N, out]`, changed in place.
  func forward(
    _ part: TowerModule.Part, _ role: TowerModule.Role, input: Matrix<Element>, output: Matrix<Element>,
    rows: AdaptedRows)

  /// Takes the gradient of a module's adapted output.
  /// - Parameter dInput: the gradient of `input`, to be added to; nil where it is not needed.
  func backward(
    _ part: TowerModule.Part, _ role: TowerModule.Role, input: Matrix<Element>, dOutput: Matrix<Element>,
    rows: AdaptedRows, dInput: Matrix<Element>?)
}

/// An adapter at one part of the tower.
struct PartAdapter<Element: Scalar> {
  let adapter: any TowerAdapter<Element>
  let part: TowerModule.Part
  let dropout: TokenDropout?

  func forward(_ role: TowerModule.Role, input: Matrix<Element>, output: Matrix<Element>) {
    adapter.forward(part, role, input: input, output: output, rows: AdaptedRows(all: input.rows, dropout: dropout))
  }

  func backward(
    _ role: TowerModule.Role, input: Matrix<Element>, dOutput: Matrix<Element>, addingTo dInput: Matrix<Element>?
  ) {
    adapter.backward(
      part, role, input: input, dOutput: dOutput, rows: AdaptedRows(all: input.rows, dropout: dropout), dInput: dInput)
  }

  func adapts(_ roles: TowerModule.Role...) -> Bool { roles.contains { adapter.adapts(part, $0) } }
}
