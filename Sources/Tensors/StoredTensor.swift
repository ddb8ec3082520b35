// A tensor where it lies in a mapped checkpoint file: never copied, shared by all ranks of a node through the page
// cache.
import Glibc

/// How the numbers of a stored tensor are encoded, named as safetensors names them.
package enum ElementType: String, Sendable {
  case float32 = "F32"
  case bfloat16 = "BF16"
  case float16 = "F16"

  /// Bytes of one number.
  package var byteCount: Int { self == .float32 ? 4 : 2 }

  /// The nearest number that this encoding holds, ties to even.
  package func rounding(_ x: Float) -> Float {
    switch self {
    case .float32: return x
    case .float16: return Float(Float16(x))
    case .bfloat16: return Float(bitPattern: UInt32(x.bfloat16) << 16)
    }
  }

  /// Numbers in this encoding, each the nearest that it holds, ties to even.
  package func bytes(of values: [Float]) -> [UInt8] {
    switch self {
    case .float32: values.withUnsafeBytes(Array.init)
    case .float16: values.map { Float16($0).bitPattern }.withUnsafeBytes(Array.init)
    case .bfloat16: values.map(\.bfloat16).withUnsafeBytes(Array.init)
    }
  }
}

extension Float {
  /// The nearest bf16, ties to even; NaN stays NaN.
  @inlinable @inline(__always)
  public var bfloat16: UInt16 {
    let bits = bitPattern
    let rounded = (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16
    return UInt16(truncatingIfNeeded: self == self ? rounded : bits >> 16 | 0x40)
  }

  /// The number of bf16's bits.
  @inlinable @inline(__always)
  public init(bfloat16 bits: UInt16) { self.init(bitPattern: UInt32(bits) << 16) }
}

/// A read-only view of one tensor of a checkpoint, row-major.
package struct StoredTensor: @unchecked Sendable {
  /// The checkpoint's name of the tensor, for messages.
  package let name: String
  package let type: ElementType
  package let shape: [Int]
  /// First byte; aligned to the element size. Valid as long as `owner` lives.
  package let base: UnsafeRawPointer
  /// Keeps the file mapped.
  let owner: AnyObject

  /// - Precondition: `base` addresses as many bytes as `shape` and the element size need, which live as long as
  ///   `owner`.
  package init(name: String, type: ElementType, shape: [Int], base: UnsafeRawPointer, owner: AnyObject) {
    precondition(Int(bitPattern: base) % type.byteCount == 0, "\(name): misaligned")
    self.name = name
    self.type = type
    self.shape = shape
    self.base = base
    self.owner = owner
  }

  /// Number of elements.
  package var count: Int { shape.reduce(1, *) }

  /// Whether shape, encoding and all bytes are equal. Reads both up to the first difference.
  package func hasSameBytes(as other: StoredTensor) -> Bool {
    guard shape == other.shape, type == other.type else { return false }
    return base == other.base || memcmp(base, other.base, count * type.byteCount) == 0
  }
}
