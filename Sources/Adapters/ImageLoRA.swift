// Image-LoRA: v~[j, h] = v[j, h] + c gamma (x[j] A) B_h at visual tokens j and selected heads h only.
import HuggingFace
import QwenVL
import RandomNumbers
import Tensors

/// The trainable adapter of arXiv 2512.19219, with its gradients.
package final class ImageLoRA<Element: Scalar>: Adapter {
  package let layout: AdapterLayout
  package let parameters: Matrix<Element>
  package let gradients: Matrix<Element>
  private let options: ImageLoRAConfiguration
  private let hiddenSize: Int
  private let slots: [Int: Slot]

  /// Where an adapted layer's parameters lie.
  private struct Slot {
    let heads: [Int]
    let headDimension: Int
    let loraA, loraB: Range<Int>
    let gamma: Int
  }

  /// An adapter with all parameters zero; see `initialize` and `load`.
  package init(_ options: ImageLoRAConfiguration, text: TextConfiguration) {
    self.options = options
    hiddenSize = text.hiddenSize
    let layout = AdapterConfiguration.imageLoRA(options).layout(text)
    self.layout = layout
    parameters = Matrix(zeros: 1, layout.count)
    gradients = Matrix(zeros: 1, layout.count)
    let ranges = layout.ranges
    var slots: [Int: Slot] = [:]
    for (layer, heads) in options.heads {
      guard let loraA = ranges["layers.\(layer).A"], let loraB = ranges["layers.\(layer).B"],
        let gamma = ranges["layers.\(layer).gamma"]
      else { continue }
      slots[layer] = Slot(
        heads: heads, headDimension: text.valueHeads(of: layer).dimension, loraA: loraA, loraB: loraB,
        gamma: gamma.lowerBound)
    }
    self.slots = slots
  }

  package var configuration: AdapterConfiguration { .imageLoRA(options) }
  package var tokens: AdaptedTokens { .visual }
  package func adapts(_ layer: Int, _ projection: Projection) -> Bool { projection == .value && slots[layer] != nil }

  /// The paper's start: `A ~ N(0, (1/r)^2)`, `B = 0`, all gammas alike. Each layer draws from a stream of its own, so
  /// that its start does not depend on which other layers are selected.
  package func initialize(seed: UInt64, gamma: Double) {
    parameters.base.update(repeating: 0, count: layout.count)
    for (layer, slot) in slots {
      var source = NormalSource(seed: seed, stream: UInt64(layer))
      for i in slot.loraA { parameters.base[i] = Element(source.nextGaussian() / Double(options.rank)) }
      parameters.base[slot.gamma] = Element(gamma)
    }
  }

  /// v[j, h] += c gamma (x[j] A) B_h.
  package func forward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, output values: Matrix<Element>,
    rows adapted: AdaptedRows
  ) {
    guard projection == .value, let slot = slots[layer] else { return }
    let scale = coefficient(slot) * parameters.base[slot.gamma]
    for rows in adapted.spans {
      let u = projected(input.rows(rows), slot)
      for (s, head) in slot.heads.enumerated() {
        multiply(
          u, .asIs, loraB(slot, s, parameters), .asIs, into: slice(values, rows, slot, head), alpha: scale, beta: 1)
      }
    }
  }

  /// With G_h = dv[:, h], u = x A, w = sum_h G_h B_h^T:
  /// dB_h = c gamma u^T G_h; dgamma = c <u, w>; dA = c gamma x^T w; dx = c gamma w A^T.
  package func backward(
    layer: Int, _ projection: Projection, input: Matrix<Element>, values: Matrix<Element>?,
    dOutput dValues: Matrix<Element>, rows adapted: AdaptedRows, dInput: Matrix<Element>?
  ) {
    guard projection == .value, let slot = slots[layer] else { return }
    let c = coefficient(slot)
    let scale = c * parameters.base[slot.gamma]
    for rows in adapted.spans {
      let x = input.rows(rows)
      let u = projected(x, slot)  // [n, r]
      let w = Matrix<Element>(zeros: rows.count, options.rank)
      for (s, head) in slot.heads.enumerated() {
        let G = slice(dValues, rows, slot, head)  // [n, D]
        multiply(u, .transposed, G, .asIs, into: loraB(slot, s, gradients), alpha: scale, beta: 1)
        multiply(G, .asIs, loraB(slot, s, parameters), .transposed, into: w, beta: 1)
      }
      gradients.base[slot.gamma] += c * Element.dot(rows.count * options.rank, u.base, w.base)
      multiply(x, .transposed, w, .asIs, into: loraA(slot, gradients), alpha: scale, beta: 1)
      if let dInput {
        multiply(w, .asIs, loraA(slot, parameters), .transposed, into: dInput.rows(rows), alpha: scale, beta: 1)
      }
    }
  }

  // MARK: - Views of the flat vectors

  private func coefficient(_ slot: Slot) -> Element {
    Element(options.scale(selected: slot.heads.count))
  }

  private func loraA(_ slot: Slot, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraA).reshaped(rows: hiddenSize, columns: options.rank)
  }

  private func loraB(_ slot: Slot, _ selected: Int, _ vector: Matrix<Element>) -> Matrix<Element> {
    let size = options.rank * slot.headDimension
    let start = slot.loraB.lowerBound + selected * size
    return vector.columns(start..<start + size).reshaped(rows: options.rank, columns: slot.headDimension)
  }

  private func projected(_ x: Matrix<Element>, _ slot: Slot) -> Matrix<Element> {
    let u = Matrix<Element>(uninitialized: x.rows, options.rank)
    multiply(x, .asIs, loraA(slot, parameters), .asIs, into: u)
    return u
  }

  private func slice(_ values: Matrix<Element>, _ rows: Range<Int>, _ slot: Slot, _ head: Int) -> Matrix<Element> {
    values.rows(rows).columns(head * slot.headDimension..<(head + 1) * slot.headDimension)
  }
}
