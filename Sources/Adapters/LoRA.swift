// Standard LoRA: y += (alpha / r) (x A^T) B^T at every token, for any linear modules of decoder and vision tower.
import HuggingFace
import QwenVL
import RandomNumbers
import Tensors

/// The trainable adapter of arXiv 2106.09685 as PEFT computes it, with its gradients.
package final class LoRA<Element: Scalar>: Adapter {
  package let layout: AdapterLayout
  package let parameters: Matrix<Element>
  package let gradients: Matrix<Element>
  private let options: LoRAConfiguration
  /// Of each layer's adapted projections.
  private let slots: [Int: [Projection: Slot]]
  /// Of the tower's adapted modules.
  private let towerSlots: [TowerModule.Part: [TowerModule.Role: Slot]]

  /// Where a module's parameters lie, and what else it has of its own.
  fileprivate struct Slot {
    let rank: Int
    let scale: Double
    let widths: ProjectionWidths
    let loraA, loraB: Range<Int>
    let stream: UInt64
  }

  /// - Parameter vision: the vision tower's shape, for a LoRA that acts on it.
  package init(_ options: LoRAConfiguration, text: TextConfiguration, vision: VisionConfiguration?) {
    self.options = options
    let layout = AdapterConfiguration.lora(options).layout(text, vision)
    self.layout = layout
    parameters = Matrix(zeros: 1, layout.count)
    gradients = Matrix(zeros: 1, layout.count)
    let ranges = layout.ranges
    var slots: [Int: [Projection: Slot]] = [:]
    var towerSlots: [TowerModule.Part: [TowerModule.Role: Slot]] = [:]
    for module in options.modules {
      guard let loraA = ranges["\(module.name).A"], let loraB = ranges["\(module.name).B"] else { continue }
      let slot = Slot(
        rank: options.rank(of: module), scale: options.scale(of: module),
        widths: ProjectionWidths(module, text, vision),
        loraA: loraA, loraB: loraB, stream: module.stream)
      switch module {
      case .decoder(let layer, let projection): slots[layer, default: [:]][projection] = slot
      case .tower(let module): towerSlots[module.part, default: [:]][module.role] = slot
      }
    }
    (self.slots, self.towerSlots) = (slots, towerSlots)
  }

  package var configuration: AdapterConfiguration { .lora(options) }
  package var tokens: AdaptedTokens { .all }
  package var tower: (any TowerAdapter<Element>)? { towerSlots.isEmpty ? nil : self }

  package func adapts(_ layer: Int, _ projection: Projection) -> Bool { slots[layer]?[projection] != nil }

  /// PEFT's start: A uniform in +-1 / sqrt(in) (`kaiming_uniform_(a=sqrt(5))`), B = 0.
  package func initialize(seed: UInt64, gamma: Double) {
    parameters.base.update(repeating: 0, count: layout.count)
    for slot in [slots.values.flatMap(\.values), towerSlots.values.flatMap(\.values)].joined() {
      var generator = SplitMix64(seed: seed, stream: slot.stream)
      let bound = 1 / Double(slot.widths.input).squareRoot()
      for i in slot.loraA { parameters.base[i] = Element(bound * generator.nextSymmetric()) }
    }
  }

  package func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, rows: AdaptedRows
  ) {
    if let slot = slots[layer]?[projection] { forward(slot, input: input, output: output, rows) }
  }

  package func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    rows: AdaptedRows, dInput: Matrix<Element>?
  ) {
    if let slot = slots[layer]?[projection] { backward(slot, input: input, dOutput: dOutput, rows, dInput: dInput) }
  }

  // MARK: - Kernels

  /// y += s (x A^T) B^T, x with dropout.
  private func forward(_ slot: Slot, input: Matrix<Element>, output: Matrix<Element>, _ adapted: AdaptedRows) {
    for rows in adapted.spans {
      let x = dropped(input.rows(rows), rows, adapted, slot)
      let u = product(x, .transposed, loraA(slot, parameters))  // [n, r]
      multiply(
        u, .asIs, loraB(slot, parameters), .transposed, into: output.rows(rows), alpha: Element(slot.scale), beta: 1)
    }
  }

  /// With u = x A^T, w = dy B: dB = s dy^T u; dA = s w^T x; dx = s w A, where x was left out 0.
  private func backward(
    _ slot: Slot, input: Matrix<Element>, dOutput: Matrix<Element>, _ adapted: AdaptedRows, dInput: Matrix<Element>?
  ) {
    let scale = Element(slot.scale)
    for rows in adapted.spans {
      let (x, dy) = (dropped(input.rows(rows), rows, adapted, slot), dOutput.rows(rows))
      let u = product(x, .transposed, loraA(slot, parameters))  // [n, r]
      let w = product(dy, .asIs, loraB(slot, parameters))  // [n, r]
      multiply(dy, .transposed, u, .asIs, into: loraB(slot, gradients), alpha: scale, beta: 1)
      multiply(w, .transposed, x, .asIs, into: loraA(slot, gradients), alpha: scale, beta: 1)
      guard let dInput else { continue }
      if let dropout = adapted.dropout {
        let dx = product(w, .asIs, loraA(slot, parameters), alpha: scale)
        dropout.apply(inPlace: dx, rows: rows, stream: slot.stream)
        dInput.rows(rows).add(dx)
      } else {
        multiply(w, .asIs, loraA(slot, parameters), .asIs, into: dInput.rows(rows), alpha: scale, beta: 1)
      }
    }
  }

  /// x with dropout, without a copy where there is none.
  private func dropped(
    _ x: Matrix<Element>, _ rows: Range<Int>, _ adapted: AdaptedRows, _ slot: Slot
  ) -> Matrix<Element> {
    guard let dropout = adapted.dropout else { return x }
    let x = x.copy
    dropout.apply(inPlace: x, rows: rows, stream: slot.stream)
    return x
  }

  /// x op(m)
  private func product(
    _ x: Matrix<Element>, _ transpose: Transpose, _ m: Matrix<Element>, alpha: Element = 1
  ) -> Matrix<Element> {
    let result = Matrix<Element>(uninitialized: x.rows, transpose == .asIs ? m.columns : m.rows)
    multiply(x, .asIs, m, transpose, into: result, alpha: alpha)
    return result
  }

  // MARK: - Views of the flat vectors

  /// [r, in]
  private func loraA(_ slot: Slot, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraA).reshaped(rows: slot.rank, columns: slot.widths.input)
  }

  /// [out, r]
  private func loraB(_ slot: Slot, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraB).reshaped(rows: slot.widths.output, columns: slot.rank)
  }
}

extension LoRA: TowerAdapter {
  package func adapts(_ part: TowerModule.Part, _ role: TowerModule.Role) -> Bool { towerSlots[part]?[role] != nil }

  package func forward(
    _ part: TowerModule.Part, _ role: TowerModule.Role, input: Matrix<Element>, output: Matrix<Element>,
    rows: AdaptedRows
  ) {
    if let slot = towerSlots[part]?[role] { forward(slot, input: input, output: output, rows) }
  }

  package func backward(
    _ part: TowerModule.Part, _ role: TowerModule.Role, input: Matrix<Element>, dOutput: Matrix<Element>,
    rows: AdaptedRows, dInput: Matrix<Element>?
  ) {
    if let slot = towerSlots[part]?[role] { backward(slot, input: input, dOutput: dOutput, rows, dInput: dInput) }
  }
}

extension LoRA<Float> {
  /// W + s B A, nil for a module that is not adapted or a weight of another shape.   W [out, in]
  package func merged(_ weight: StoredTensor, _ module: AdaptedModule) -> [Float]? {
    let slot =
      switch module {
      case .decoder(let layer, let projection): slots[layer]?[projection]
      case .tower(let module): towerSlots[module.part]?[module.role]
      }
    guard let slot, weight.shape == [slot.widths.output, slot.widths.input] else { return nil }
    let sum = Matrix<Float>(weight.values(), rows: slot.widths.output, columns: slot.widths.input)
    multiply(
      loraB(slot, parameters), .asIs, loraA(slot, parameters), .asIs, into: sum, alpha: Float(slot.scale), beta: 1)
    return sum.values
  }
}
