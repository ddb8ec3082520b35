// The vision tower with an adapter on it: a forward pass that saves what backward needs, and the backward pass down to
// the lowest adapted block.
import HuggingFace
import Layers
import Tensors

extension VisionTower {
  /// A forward pass of one image, and what its backward needs.
  package final class Pass: @unchecked Sendable {
    /// `[P / merge^2, featureColumns]`
    package fileprivate(set) var features = Matrix<Element>(zeros: 0, 0)
    fileprivate let image: Geometry
    fileprivate let dropout: TokenDropout?
    /// The input of each block.
    fileprivate var inputs: [Matrix<Element>] = []
    /// Nil: they are recomputed.
    fileprivate var saved: [VisionBlock<Element>.SavedActivations?] = []
    /// The input of each level's merger, and its activations.
    fileprivate var merged: [Int: (x: Matrix<Element>, activations: VisionMLPActivations<Element>)] = [:]

    fileprivate init(_ image: Geometry, _ dropout: TokenDropout?) { (self.image, self.dropout) = (image, dropout) }
  }

  /// - Parameters:
  ///   - patches: `[P, numbers of a patch]`.
  ///   - keys: of the patches in the order of the processor, in training with dropout.
  ///   - maximumBytes: how much the blocks' activations may take; others are recomputed to the same bits.
  package func forwardSavingActivations(
    patches: Matrix<Element>, grid: GridTHW, adapter: any TowerAdapter<Element>, dropout keys: TokenDropout? = nil,
    maximumBytes: Int = .max
  ) -> Pass {
    let image = geometry(of: grid)
    let pass = Pass(image, keys?.gathering(image.places.patchOrder(unit: image.unit)))
    var rest = maximumBytes
    pass.features = forward(patches: patches, image, adapter, pass.dropout) { _, x, saved in
      pass.inputs.append(x)
      rest -= saved.byteCount
      pass.saved.append(rest >= 0 ? saved : nil)
    } merged: { level, x, activations in
      pass.merged[level] = (x, activations)
    }
    return pass
  }

  /// The lowest block that an adapter acts on; the number of blocks where it acts on none.
  private func lowestBlock(_ adapter: any TowerAdapter<Element>) -> Int {
    let roles: [TowerModule.Role] = [.queryKeyValue, .attentionOutput, .gate, .up, .down, .first, .second]
    return blocks.indices.first { block in roles.contains { adapter.adapts(.block(block), $0) } } ?? blocks.count
  }

  /// From the gradient of a pass's features down to the lowest adapted block; the adapter takes its gradients on the
  /// way.   dFeatures [P / merge^2, featureColumns]
  package func backward(_ dFeatures: Matrix<Element>, pass: Pass, adapter: any TowerAdapter<Element>) {
    let image = pass.image
    let lowest = lowestBlock(adapter)
    var dx: Matrix<Element>?
    for index in blocks.indices.reversed() {
      // The gradient of a block's output: from the block above it, and from the mergers that follow it.
      let levels =
        (index == blocks.count - 1 ? [0] : [])
        + configuration.deepstackBlocks.indices.filter { configuration.deepstackBlocks[$0] == index }.map { $0 + 1 }
      for level in levels {
        let part = mergerBackward(level, dFeatures, pass, adapter, isInputNeeded: index >= lowest)
        if let part, let sum = dx { sum.add(part) } else { dx = part ?? dx }
      }
      guard index >= lowest, let dy = dx else { continue }
      let x = pass.inputs[index]
      let part = PartAdapter(adapter: adapter, part: .block(index), dropout: pass.dropout)
      let saved =
        pass.saved[index]
        ?? blocks[index].forward(x, rotary: image.rotary, pattern: pattern(index, image), part).saved
      dx = blocks[index].backward(dy, input: x, saved, rotary: image.rotary, part, isLowest: index == lowest)
    }
  }

  /// The gradient of a merger's input, where it is needed.   dFeatures [P / merge^2, featureColumns] -> [P, H]
  private func mergerBackward(
    _ level: Int, _ dFeatures: Matrix<Element>, _ pass: Pass, _ adapter: any TowerAdapter<Element>, isInputNeeded: Bool
  ) -> Matrix<Element>? {
    let part = partAdapter(adapter, level: level, pass.dropout, unit: pass.image.unit)
    guard isInputNeeded || part.adapts(.first, .second), let (x, activations) = pass.merged[level] else { return nil }
    let dTokens = columns(of: level, dFeatures).gathering(pass.image.places.unitOrder)
    return mergers[level].backward(dTokens, input: x, activations, part, isInputNeeded: isInputNeeded)
  }
}
