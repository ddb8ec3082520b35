// Writing safetensors: small fp32 files that `Checkpoint` and the Python library read.
import Foundation

/// Encodes fp32 tensors as a safetensors file.
public enum SafetensorsWriter {
  /// A named tensor, row-major.
  public struct Tensor: Sendable, Equatable {
    public let name: String
    /// Empty for a scalar.
    public let shape: [Int]
    public let values: [Float]

    /// - Precondition: as many values as the shape has.
    public init(name: String, shape: [Int], values: [Float]) {
      precondition(values.count == shape.reduce(1, *), "\(name): count is not shape")
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  private enum Member: Encodable {
    case metadata([String: String])
    case tensor(shape: [Int], offsets: [Int])

    enum Key: String, CodingKey { case dtype, shape, offsets = "data_offsets" }

    func encode(to encoder: any Encoder) throws {
      switch self {
      case .metadata(let entries): try entries.encode(to: encoder)
      case .tensor(let shape, let offsets):
        var entry = encoder.container(keyedBy: Key.self)
        try entry.encode("F32", forKey: .dtype)
        try entry.encode(shape, forKey: .shape)
        try entry.encode(offsets, forKey: .offsets)
      }
    }
  }

  /// The file's bytes: the header's length, the header padded to 8 bytes, the numbers in the order of names, so that
  /// the same tensors give the same bytes.
  /// - Parameter metadata: what `__metadata__` says; "format": "pt" lets transformers load the file.
  /// - Precondition: no name appears twice.
  public static func encode(_ tensors: [Tensor], metadata: [String: String] = ["format": "pt"]) throws -> Data {
    let sorted = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    var members: [String: Member] = ["__metadata__": .metadata(metadata)]
    var end = 0
    for tensor in sorted {
      let start = end
      end += tensor.values.count * MemoryLayout<Float>.size
      let before = members.updateValue(.tensor(shape: tensor.shape, offsets: [start, end]), forKey: tensor.name)
      precondition(before == nil, "tensor \(tensor.name) twice")
    }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    var header = try encoder.encode(members)
    header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
    var file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    file.append(header)
    for tensor in sorted { tensor.values.withUnsafeBytes { file.append(contentsOf: $0) } }
    return file
  }
}
