// The message for an error of Foundation's JSON decoder, in this program's words.
import Foundation

/// What is wrong with JSON that does not decode, in one line: where it is broken, or which value is not what was
/// expected.
package func jsonProblem(_ error: any Error, in data: Data) -> String {
  let document: JSON
  do {
    document = try JSON(parsing: [UInt8](data))
  } catch {
    return "not valid JSON: \(error)"
  }
  switch error {
  case DecodingError.keyNotFound(let key, let context):
    return "\(prefix(context.codingPath))has no \"\(key.stringValue)\""
  case DecodingError.typeMismatch(let type, let context), DecodingError.valueNotFound(let type, let context):
    let found = document.value(at: context.codingPath)?.kind ?? "nothing"
    return "\(prefix(context.codingPath))expected \(expectation(of: type)), found \(found)"
  case DecodingError.dataCorrupted(let context) where context.codingPath.isEmpty:
    return "a number has a fraction, or is too large, where a whole number is expected"
  case DecodingError.dataCorrupted(let context):
    let found = document.value(at: context.codingPath)?.kind ?? "nothing"
    return "\(prefix(context.codingPath))\(found) of an unexpected value"
  default:
    return "does not have the expected form"
  }
}

/// A place in the document, written as in code: `messages[0].content: `.
private func prefix(_ keys: [any CodingKey]) -> String {
  let place = keys.reduce(into: "") { path, key in
    if let index = key.intValue {
      path += "[\(index)]"
    } else {
      path += (path.isEmpty ? "" : ".") + key.stringValue
    }
  }
  return place.isEmpty ? "" : "\(place): "
}

/// A Swift type as a value of JSON.
private func expectation(of type: Any.Type) -> String {
  switch type {
  case is String.Type: "a text"
  case is Bool.Type: "true or false"
  case is any BinaryInteger.Type: "a whole number"
  case is any BinaryFloatingPoint.Type: "a number"
  case is [Any].Type, is any RangeReplaceableCollection.Type: "a list"
  default: "an object"
  }
}

extension JSON {
  /// The value at a place; nil where there is none.
  fileprivate func value(at path: [any CodingKey]) -> JSON? {
    path.reduce(self as JSON?) { value, key in
      switch value {
      case .array(let items): key.intValue.flatMap { items.indices.contains($0) ? items[$0] : nil }
      case .object(let members): members.last { $0.key.hasSameBytes(as: key.stringValue) }?.value
      default: nil
      }
    }
  }
}
