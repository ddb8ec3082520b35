// Image-LoRA: v~[j, h] = v[j, h] + c gamma (x[j] A) B_h at visual tokens j and selected KV heads h only.
import Datasets
import HuggingFace
import QwenVL
import Tensors

/// The trainable adapter of arXiv 2512.19219, with its gradients.
public final class ImageLoRA<Element: Scalar>: ValueAdapter {
  public let configuration: ImageLoRAConfiguration
  public let layout: AdapterLayout
  /// All trainable numbers in the layout's order, `[1, count]`.
  public let parameters: Matrix<Element>
  /// Gradients accumulated since `resetGradients`, in the same order.
  public let gradients: Matrix<Element>
  private let slots: [Int: AdapterLayout.Layer]

  /// An adapter with all numbers zero; see `initialize` and `load`.
  public init(_ configuration: ImageLoRAConfiguration, text: TextConfiguration) {
    self.configuration = configuration
    layout = AdapterLayout(configuration, text: text)
    parameters = Matrix(zeros: 1, layout.count)
    gradients = Matrix(zeros: 1, layout.count)
    slots = Dictionary(uniqueKeysWithValues: layout.layers.map { ($0.index, $0) })
  }

  /// The paper's start: `A ~ N(0, (1/r)^2)`, `B = 0`, `gamma = 0.01`. Each layer draws from a stream of its own, so that
  /// its start does not depend on which other layers are selected.
  public func initialize(seed: UInt64) {
    parameters.base.update(repeating: 0, count: layout.count)
    for layer in layout.layers {
      var source = NormalSource(seed: seed, stream: UInt64(layer.index))
      for i in layer.loraA { parameters.base[i] = Element(source.nextGaussian() / Double(layout.rank)) }
      parameters.base[layer.gamma] = 0.01
    }
  }

  /// Takes all numbers, in the layout's order.
  /// - Precondition: as many as the layout has.
  public func load(_ values: [Element]) {
    precondition(values.count == layout.count)
    parameters.assign(Matrix(values, rows: 1, columns: values.count))
  }

  public func resetGradients() { gradients.base.update(repeating: 0, count: layout.count) }

  public var lowestLayer: Int? { layout.layers.first?.index }

  /// v[j, h] += c gamma (x[j] A) B_h.
  public func forward(layer: Int, input: Matrix<Element>, values: Matrix<Element>, visual: [Range<Int>]) {
    guard let slot = slots[layer] else { return }
    let scale = coefficient(slot) * parameters.base[slot.gamma]
    for rows in visual {
      let u = projected(input.rows(rows), slot)
      for (s, head) in slot.heads.enumerated() {
        multiply(u, .asIs, loraB(slot, s, parameters), .asIs, into: slice(values, rows, head), alpha: scale, beta: 1)
      }
    }
  }

  /// With G_h = dv[:, h], u = x A, w = sum_h G_h B_h^T:
  /// dB_h = c gamma u^T G_h; dgamma = c <u, w>; dA = c gamma x^T w; dx = c gamma w A^T.
  public func backward(
    layer: Int, input: Matrix<Element>, values: Matrix<Element>, dValues: Matrix<Element>, visual: [Range<Int>],
    dInput: Matrix<Element>?
  ) {
    guard let slot = slots[layer] else { return }
    let c = coefficient(slot)
    let scale = c * parameters.base[slot.gamma]
    for rows in visual {
      let x = input.rows(rows)
      let u = projected(x, slot)  // [n, r]
      let w = Matrix<Element>(zeros: rows.count, layout.rank)
      for (s, head) in slot.heads.enumerated() {
        let G = slice(dValues, rows, head)  // [n, D]
        multiply(u, .transposed, G, .asIs, into: loraB(slot, s, gradients), alpha: scale, beta: 1)
        multiply(G, .asIs, loraB(slot, s, parameters), .transposed, into: w, beta: 1)
      }
      gradients.base[slot.gamma] += c * Element.dot(rows.count * layout.rank, u.base, w.base)
      multiply(x, .transposed, w, .asIs, into: loraA(slot, gradients), alpha: scale, beta: 1)
      if let dInput {
        multiply(w, .asIs, loraA(slot, parameters), .transposed, into: dInput.rows(rows), alpha: scale, beta: 1)
      }
    }
  }

  // MARK: - Views of the flat vectors

  private func coefficient(_ slot: AdapterLayout.Layer) -> Element {
    Element(configuration.scale(selected: slot.heads.count))
  }

  private func loraA(_ slot: AdapterLayout.Layer, _ vector: Matrix<Element>) -> Matrix<Element> {
    vector.columns(slot.loraA).reshaped(rows: layout.hiddenSize, columns: layout.rank)
  }

  private func loraB(_ slot: AdapterLayout.Layer, _ selected: Int, _ vector: Matrix<Element>) -> Matrix<Element> {
    let size = layout.rank * layout.headDimension
    let start = slot.loraB.lowerBound + selected * size
    return vector.columns(start..<start + size).reshaped(rows: layout.rank, columns: layout.headDimension)
  }

  private func projected(_ x: Matrix<Element>, _ slot: AdapterLayout.Layer) -> Matrix<Element> {
    let u = Matrix<Element>(uninitialized: x.rows, layout.rank)
    multiply(x, .asIs, loraA(slot, parameters), .asIs, into: u)
    return u
  }

  private func slice(_ values: Matrix<Element>, _ rows: Range<Int>, _ head: Int) -> Matrix<Element> {
    values.rows(rows).columns(head * layout.headDimension..<(head + 1) * layout.headDimension)
  }
}
