// Where each trainable parameter of an adapter lies in the one flat vector that is trained, reduced and stored.

/// The flat order of an adapter's parameters: named tensors one after the other. Training, reduction, checkpoints and
/// export know no more of an adapter than this.
package struct AdapterLayout: Sendable, Equatable {
  /// A tensor as files name it.
  package struct Tensor: Sendable, Equatable {
    /// `layers.{l}.{A,B,gamma}` of Image-LoRA, `layers.{l}.{projection}.{A,B}` of LoRA.
    package let name: String
    /// Empty for a scalar.
    package let shape: [Int]
    package let range: Range<Int>
  }

  /// All tensors in flat order.
  package let tensors: [Tensor]
  /// Number of trainable parameters.
  package var count: Int { tensors.last?.range.upperBound ?? 0 }

  /// One after the other.
  init(_ shapes: [(name: String, shape: [Int])]) {
    var next = 0
    tensors = shapes.map { name, shape in
      defer { next += shape.reduce(1, *) }
      return Tensor(name: name, shape: shape, range: next..<next + shape.reduce(1, *))
    }
  }

  /// The place of each tensor by its name.
  var ranges: [String: Range<Int>] { Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.range) }) }
}
