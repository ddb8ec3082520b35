// Standard LoRA: y += (alpha / r) (x A^T) B^T at every token, for any projections of the decoder.
import HuggingFace
import QwenVL
import RandomNumbers
import Tensors

/// The trainable adapter of arXiv 2106.09685 as PEFT computes it without dropout, with its gradients.
package final class LoRA<Element: Scalar>: Adapter {
  package let layout: AdapterLayout
  package let parameters: Matrix<Element>
  package let gradients: Matrix<Element>
  private let options: LoRAConfiguration
  /// Of each layer's adapted projections.
  private let slots: [Int: [Projection: Slot]]

  /// Where a projection's parameters lie.
  private struct Slot {
    let widths: ProjectionWidths
    let loraA, loraB: Range<Int>
  }

  package init(_ options: LoRAConfiguration, text: TextConfiguration) {
    self.options = options
    let layout = AdapterConfiguration.lora(options).layout(text)
    self.layout = layout
    parameters = Matrix(zeros: 1, layout.count)
    gradients = Matrix(zeros: 1, layout.count)
    let ranges = layout.ranges
    var slots: [Int: [Projection: Slot]] = [:]
    for (layer, projections) in options.targets {
      for projection in projections {
        let name = LoRAConfiguration.name(layer, projection)
        guard let loraA = ranges["\(name).A"], let loraB = ranges["\(name).B"] else { continue }
        slots[layer, default: [:]][projection] = Slot(
          widths: ProjectionWidths(projection, text), loraA: loraA, loraB: loraB)
      }
    }
    self.slots = slots
  }

  package var configuration: AdapterConfiguration { .lora(options) }
  package var tokens: AdaptedTokens { .all }

  package func adapts(_ layer: Int, _ projection: Projection) -> Bool { slots[layer]?[projection] != nil }

  /// PEFT's start: A uniform in +-1 / sqrt(in) (`kaiming_uniform_(a=sqrt(5))`), B = 0.
  package func initialize(seed: UInt64, gamma: Double) {
    parameters.base.update(repeating: 0, count: layout.count)
    for (layer, projections) in slots {
      for (index, projection) in Projection.allCases.enumerated() {
        guard let slot = projections[projection] else { continue }
        var generator = SplitMix64(seed: seed, stream: UInt64(layer * Projection.allCases.count + index))
        let bound = 1 / Double(slot.widths.input).squareRoot()
        for i in slot.loraA { parameters.base[i] = Element(bound * generator.nextSymmetric()) }
      }
    }
  }

  /// y += s (x A^T) B^T.
  package func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output: Matrix<Element>, spans: [Range<Int>]
  ) {
    guard let slot = slots[layer]?[projection] else { return }
    for rows in spans {
      let u = product(input.rows(rows), .transposed, loraA(slot, parameters))  // [n, r]
      multiply(
        u, .asIs, loraB(slot, parameters), .transposed, into: output.rows(rows), alpha: Element(options.scale), beta: 1)
    }
  }

  /// With u = x A^T, w = dy B: dB = s dy^T u; dA = s w^T x; dx = s w A.
  package func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?, dOutput: Matrix<Element>,
    spans: [Range<Int>], dInput: Matrix<Element>?
  ) {
    guard let slot = slots[layer]?[projection] else { return }
    let scale = Element(options.scale)
    for rows in spans {
      let (x, dy) = (input.rows(rows), dOutput.rows(rows))
      let u = product(x, .transposed, loraA(slot, parameters))  // [n, r]
      let w = product(dy, .asIs, loraB(slot, parameters))  // [n, r]
      multiply(dy, .transposed, u, .asIs, into: loraB(slot, gradients), alpha: scale, beta: 1)
      multiply(w, .transposed, x, .asIs, into: loraA(slot, gradients), alpha: scale, beta: 1)
      if let dInput {
        multiply(w, .asIs, loraA(slot, parameters), .asIs, into: dInput.rows(rows), alpha: scale, beta: 1)
      }
    }
  }

  /// x op(m)   -> [n, r]
  private func product(_ x: Matrix<Element>, _ transpose: Transpose, _ m: Matrix<Element>) -> Matrix<Element> {
    let result = Matrix<Element>(uninitialized: x.rows, options.rank)
    multiply(x, .asIs, m, transpose, into: result)
    return result
  }

  // MARK: - Views of the flat vectors

  /// [r, in]
  private func loraA(_ slot: Slot, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraA).reshaped(rows: options.rank, columns: slot.widths.input)
  }

  /// [out, r]
  private func loraB(_ slot: Slot, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraB).reshaped(rows: slot.widths.output, columns: options.rank)
  }
}

extension LoRA<Float> {
  /// W + s B A, nil for a projection that is not adapted or a weight of another shape.   W [out, in]
  package func merged(_ weight: StoredTensor, layer: Int, _ projection: Projection) -> [Float]? {
    guard let slot = slots[layer]?[projection],
      weight.shape == [slot.widths.output, slot.widths.input]
    else { return nil }
    let sum = Matrix<Float>(weight.values(), rows: slot.widths.output, columns: slot.widths.input)
    multiply(
      loraB(slot, parameters), .asIs, loraA(slot, parameters), .asIs, into: sum, alpha: Float(options.scale), beta: 1)
    return sum.values
  }
}
