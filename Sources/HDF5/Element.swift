// The Swift types that datasets and attributes hold, and how each crosses into C memory and back.
import CHDF5

/// A type that HDF5 stores: `Float`, `Double`, `Int32`, `Int64`, `UInt8` or `String`.
package protocol Element: Sendable {
  /// How HDF5 stores the type; only this module can make one.
  static var storage: Storage<Self> { get }
}

/// The datatype of an element and its way into C memory and back. Datatypes are the same in file and memory: all
/// machines that run Swift are little-endian.
package struct Storage<Value: Sendable>: Sendable {
  /// The name used in errors.
  let name: String
  /// The bytes that an element takes among these values.
  let elementBytes: @Sendable ([Value]) -> Int
  /// A new datatype of a given size in bytes, for the caller to close.
  let datatype: @Sendable (_ elementBytes: Int) -> hid_t
  /// Whether a file's datatype is this one.
  let accepts: @Sendable (hid_t) -> Bool
  /// Lends the values' C memory.
  let withMemory: @Sendable ([Value], _ elementBytes: Int, Attempt, (UnsafeRawPointer?) throws -> Void) throws -> Void
  /// Makes a given count of values from C memory that the closure fills.
  let make: @Sendable (Int, _ elementBytes: Int, Attempt, (UnsafeMutableRawPointer?) throws -> Void) throws -> [Value]
}

extension Float: Element {
  package static var storage: Storage<Float> { .number("float32", CHDF5_IEEE_F32LE) }
}

extension Double: Element {
  package static var storage: Storage<Double> { .number("float64", CHDF5_IEEE_F64LE) }
}

extension Int32: Element {
  package static var storage: Storage<Int32> { .number("int32", CHDF5_STD_I32LE) }
}

extension Int64: Element {
  package static var storage: Storage<Int64> { .number("int64", CHDF5_STD_I64LE) }
}

extension UInt8: Element {
  package static var storage: Storage<UInt8> { .number("uint8", CHDF5_STD_U8LE) }
}

extension Storage where Value: BitwiseCopyable {
  /// Arrays of numbers already have the layout that HDF5 expects.
  fileprivate static func number(_ name: String, _ datatype: @escaping @Sendable () -> hid_t) -> Storage {
    Storage(
      name: name, elementBytes: { _ in MemoryLayout<Value>.size }, datatype: { _ in H5Tcopy(datatype()) },
      accepts: { H5Tequal($0, datatype()) > 0 },
      withMemory: { values, _, _, body in try values.withUnsafeBytes { try body($0.baseAddress) } },
      make: { count, _, _, fill in
        try [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
          try fill(buffer.baseAddress)
          initialized = count
        }
      })
  }
}

extension String: Element {
  /// UTF-8 of one length, that of the longest, filled up with zeros.
  ///
  /// Strings of variable length lie in a heap that no checksum guards: one wrong byte in it makes HDF5 1.10 crash or
  /// loop for ever.
  package static var storage: Storage<String> {
    Storage(
      name: "fixed-length string", elementBytes: { $0.reduce(1) { Swift.max($0, $1.utf8.count) } },
      datatype: { length in
        let type = H5Tcopy(CHDF5_C_S1())
        let codes = [H5Tset_size(type, length), H5Tset_cset(type, H5T_CSET_UTF8), H5Tset_strpad(type, H5T_STR_NULLPAD)]
        return codes.contains { $0 < 0 } ? -1 : type
      },
      accepts: { H5Tget_class($0) == H5T_STRING && H5Tis_variable_str($0) == 0 },
      withMemory: { strings, length, attempt, body in
        let bytes: [UInt8] = try strings.flatMap { string in
          guard !string.utf8.contains(0) else {
            throw attempt.error("a string holds a zero byte, which ends strings in HDF5: \(string.debugDescription)")
          }
          return Array(string.utf8) + [UInt8](repeating: 0, count: length - string.utf8.count)
        }
        try bytes.withUnsafeBytes { try body($0.baseAddress) }
      },
      make: { count, length, attempt, fill in
        var bytes = [UInt8](repeating: 0, count: count * length)
        try bytes.withUnsafeMutableBytes { try fill($0.baseAddress) }
        return try (0..<count).map { index in
          let text = bytes[index * length..<(index + 1) * length].prefix { $0 != 0 }
          guard let string = String(validating: text, as: UTF8.self) else {
            throw attempt.error("a string is not UTF-8")
          }
          return string
        }
      })
  }
}
