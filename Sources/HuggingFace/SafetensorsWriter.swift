// Writing safetensors: small fp32 files that `Checkpoint` and the Python library read.
import Files
import Foundation

/// Encodes fp32 tensors as a safetensors file.
package enum SafetensorsWriter {
  /// A named tensor, row-major.
  package struct Tensor: Sendable, Equatable {
    package let name: String
    /// Empty for a scalar.
    package let shape: [Int]
    package let values: [Float]

    /// - Precondition: as many values as the shape has.
    package init(name: String, shape: [Int], values: [Float]) {
      precondition(values.count == shape.reduce(1, *), "\(name): count is not shape")
      (self.name, self.shape, self.values) = (name, shape, values)
    }
  }

  /// The file's bytes, those that Python's `safetensors.numpy.save` writes: the header's length, the header padded to
  /// 8 bytes, the values in the order of names.
  /// - Parameter metadata: the contents of `__metadata__`; "format": "pt" lets transformers load the file.
  /// - Precondition: no name appears twice.
  package static func encode(_ tensors: [Tensor], metadata: [String: String] = ["format": "pt"]) throws -> Data {
    precondition(Set(tensors.map { ExactString($0.name) }).count == tensors.count, "a tensor's name appears twice")
    let sorted = tensors.sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    var members = ["\"__metadata__\":\(try json(metadata))"]
    var end = 0
    for tensor in sorted {
      let start = end
      end += tensor.values.count * MemoryLayout<Float>.size
      let shape = tensor.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(try json(tensor.name)):{\"dtype\":\"F32\",\"shape\":[\(shape)],\"data_offsets\":[\(start),\(end)]}")
    }
    var header = Data("{\(members.joined(separator: ","))}".utf8)
    header.append(contentsOf: repeatElement(UInt8(ascii: " "), count: (8 - header.count % 8) % 8))
    var file = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Data($0) }
    file.append(header)
    for tensor in sorted { tensor.values.withUnsafeBytes { file.append(contentsOf: $0) } }
    return file
  }

  private static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}
