// The Swift types that datasets and attributes hold, and how each crosses into C memory and back.
import CHDF5
import Glibc

/// A type that HDF5 stores: `Float`, `Double`, `Int32`, `Int64`, `UInt8` or `String`.
public protocol Element: Sendable {
  /// How HDF5 stores the type; only this module can make one.
  static var storage: Storage<Self> { get }
}

/// The datatype of an element and its way into C memory and back.
public struct Storage<Value: Sendable>: Sendable {
  /// The name used in errors.
  let name: String
  let bytes: Int
  /// A new datatype for the caller to close, the same in file and memory: all machines that run Swift are
  /// little-endian.
  let datatype: @Sendable () -> hid_t
  /// Lends the values' C memory.
  let withMemory: @Sendable ([Value], Attempt, (UnsafeRawPointer?) throws -> Void) throws -> Void
  /// Makes values from C memory of so many elements that the closure fills.
  let make: @Sendable (Int, Attempt, (UnsafeMutableRawPointer?) throws -> Void) throws -> [Value]
}

extension Float: Element {
  public static var storage: Storage<Float> { .number("float32", CHDF5_IEEE_F32LE) }
}

extension Double: Element {
  public static var storage: Storage<Double> { .number("float64", CHDF5_IEEE_F64LE) }
}

extension Int32: Element {
  public static var storage: Storage<Int32> { .number("int32", CHDF5_STD_I32LE) }
}

extension Int64: Element {
  public static var storage: Storage<Int64> { .number("int64", CHDF5_STD_I64LE) }
}

extension UInt8: Element {
  public static var storage: Storage<UInt8> { .number("uint8", CHDF5_STD_U8LE) }
}

extension String: Element {
  public static var storage: Storage<String> { .text }
}

extension Storage where Value: BitwiseCopyable {
  /// Numbers lie in arrays as HDF5 wants them.
  fileprivate static func number(_ name: String, _ datatype: @escaping @Sendable () -> hid_t) -> Storage {
    Storage(
      name: name, bytes: MemoryLayout<Value>.size, datatype: { H5Tcopy(datatype()) },
      withMemory: { values, _, body in try values.withUnsafeBytes { try body($0.baseAddress) } },
      make: { count, _, fill in
        try [Value](unsafeUninitializedCapacity: count) { buffer, initialized in
          try fill(buffer.baseAddress)
          initialized = count
        }
      })
  }
}

extension Storage where Value == String {
  /// Variable-length UTF-8, as h5py writes `str`: an array of pointers to zero-terminated bytes.
  fileprivate static var text: Storage {
    Storage(
      name: "variable-length UTF-8 string", bytes: 16,
      datatype: {
        let type = H5Tcopy(CHDF5_C_S1())
        let failed = H5Tset_size(type, CHDF5_VARIABLE()) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0
        return failed ? -1 : type
      },
      withMemory: { strings, attempt, body in
        var bytes: [UInt8] = []
        var starts: [Int] = []
        for string in strings {
          guard !string.utf8.contains(0) else {
            throw attempt.error("a string holds a zero byte, which ends strings in HDF5: \(string.debugDescription)")
          }
          starts.append(bytes.count)
          bytes.append(contentsOf: string.utf8)
          bytes.append(0)
        }
        try bytes.withUnsafeBytes { bytes in
          let pointers = starts.map { start in bytes.baseAddress.map { $0 + start } }
          try pointers.withUnsafeBytes { try body($0.baseAddress) }
        }
      },
      make: { count, attempt, fill in
        var pointers = [UnsafeMutablePointer<CChar>?](repeating: nil, count: count)
        try pointers.withUnsafeMutableBytes { try fill($0.baseAddress) }
        defer { pointers.forEach { free($0) } }
        return try pointers.map { pointer in
          guard let pointer else { return "" }
          guard let string = String(validatingCString: pointer) else { throw attempt.error("a string is not UTF-8") }
          return string
        }
      })
  }
}
