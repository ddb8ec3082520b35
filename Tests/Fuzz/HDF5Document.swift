// An HDF5 file described in JSON: whatever its values are, the file itself is sound, since the library writes it.
import Files
import HDF5

/// A description of attributes and datasets:
/// `{"attributes": {"/adapter": {"rank": 2}}, "datasets": {"/x": {"type": "float32", "shape": [2, 3], "values": [1]}}}`
/// Values are repeated until they fill the shape, so that a document stays short.
struct HDF5Document {
  private static let maximumCount = 1 << 14
  private let attributes: [JSON.Member]
  private let datasets: [JSON.Member]

  init(_ document: JSON) {
    func members(_ key: String) -> [JSON.Member] {
      if case .object(let members) = document[key] { members } else { [] }
    }
    (attributes, datasets) = (members("attributes"), members("datasets"))
  }

  /// Writes the file; what HDF5 refuses is left out.
  /// - Parameters:
  ///   - filters: of datasets that may have some.
  ///   - addition: adds to the file what does not depend on the document alone.
  func write(
    to path: String, filters: [Filter] = [.fletcher32], addition: (borrowing File) -> Void = { _ in }
  ) throws {
    let file = try File.create(path)
    for dataset in datasets { _ = Refusal.allowing { try Self.write(dataset, to: file, filters) } }
    for object in attributes {
      _ = Refusal.allowing { try file.createGroup(object.key) }
      guard case .object(let values) = object.value else { continue }
      for value in values {
        _ = Refusal.allowing {
          switch value.value {
          case .integer(let number): try file.setAttribute(value.key, of: object.key, to: Int64(number))
          case .number(let number): try file.setAttribute(value.key, of: object.key, to: number)
          case .string(let text): try file.setAttribute(value.key, of: object.key, to: text)
          case .bool(let flag): try file.setAttribute(value.key, of: object.key, to: Int32(flag ? 1 : 0))
          default: break
          }
        }
      }
    }
    addition(file)
    try file.close()
  }

  private static func write(_ dataset: JSON.Member, to file: borrowing File, _ wanted: [Filter]) throws {
    var shape: [Int] = []
    var count = 1
    for extent in dataset.value["shape"]?.elements.prefix(40) ?? [] {
      guard case .integer(let extent) = extent, (0...maximumCount).contains(extent) else { return }
      shape.append(extent)
      count = min(count * extent, maximumCount + 1)
    }
    guard count <= maximumCount, dataset.key.utf8.first == UInt8(ascii: "/") else { return }
    let values = dataset.value["values"]?.elements ?? []
    func fill<Value>(_ convert: (JSON) -> Value, _ empty: Value) -> [Value] {
      (0..<count).map { values.isEmpty ? empty : convert(values[$0 % values.count]) }
    }
    func number(_ json: JSON) -> Double { json.text.hasSameBytes(as: "NaN") ? .nan : json.double ?? 0 }
    func integer(_ json: JSON) -> Int { if case .integer(let value) = json { value } else { 0 } }
    // The library writes shapes without rank with no filters.
    let filters = shape.isEmpty ? [] : wanted
    switch dataset.value["type"]?.text {
    case "float32": try file.write(fill({ Float(number($0)) }, 0), shape: shape, to: dataset.key, filters: filters)
    case "float64": try file.write(fill(number, 0), shape: shape, to: dataset.key, filters: filters)
    case "int32":
      try file.write(
        fill({ Int32(truncatingIfNeeded: integer($0)) }, 0), shape: shape, to: dataset.key, filters: filters)
    case "int64": try file.write(fill({ Int64(integer($0)) }, 0), shape: shape, to: dataset.key, filters: filters)
    case "uint8":
      try file.write(
        fill({ UInt8(truncatingIfNeeded: integer($0)) }, 0), shape: shape, to: dataset.key, filters: filters)
    case "string":
      try file.write(fill({ String($0.text.prefix(1 << 12)) }, ""), shape: shape, to: dataset.key, filters: filters)
    default: break
    }
  }
}
