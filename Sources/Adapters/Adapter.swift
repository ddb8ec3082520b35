// What training, checkpoints and evaluation know of an adapter, whatever its kind.
import QwenVL
import Tensors

/// A trainable adapter with its gradients, each as one flat vector.
package protocol Adapter<Element>: ProjectionAdapter {
  var configuration: AdapterConfiguration { get }
  var layout: AdapterLayout { get }
  /// All trainable parameters in the layout's order, `[1, count]`.
  var parameters: Matrix<Element> { get }
  /// Gradients accumulated since `resetGradients`, in the same order.
  var gradients: Matrix<Element> { get }

  /// The start of training. Each tensor that is drawn has a stream of its own.
  /// - Parameter gamma: where an Image-LoRA's gammas start.
  func initialize(seed: UInt64, gamma: Double)
}

extension Adapter {
  /// The start of training as in the method's paper.
  package func initialize(seed: UInt64) { initialize(seed: seed, gamma: ImageLoRAConfiguration.gammaStart) }

  /// Takes all parameters, in the layout's order.
  /// - Precondition: as many as the layout has.
  package func load(_ values: [Element]) {
    precondition(values.count == layout.count)
    parameters.assign(Matrix(values, rows: 1, columns: values.count))
  }

  package func resetGradients() { gradients.base.update(repeating: 0, count: layout.count) }

  package var lowestLayer: Int? { configuration.layers.first }
}
