// The message for an error of a JSON decoder.
import Foundation

/// What is wrong with JSON, in one line: the decoder's message with the place in the document, or the parser's with the
/// column.
package func jsonProblem(_ error: any Error, in data: Data) -> String {
  switch error {
  case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
    return path(context.codingPath, context.debugDescription)
  case DecodingError.keyNotFound(let key, let context):
    return path(context.codingPath, "has no \"\(key.stringValue)\"")
  default:
    // The typed decoder does not report where JSON is broken; the untyped one does.
    do {
      _ = try JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    } catch {
      let words = (error as NSError).userInfo["NSDebugDescription"] as? String
      return "not valid JSON: \(words ?? error.localizedDescription)"
    }
    guard case DecodingError.dataCorrupted(let context) = error else { return error.localizedDescription }
    if context.codingPath.isEmpty {
      return "a number has a fraction, or is too large, where a whole number is expected"
    }
    return path(context.codingPath, context.debugDescription)
  }
}

/// A fault after its place in the document, written as in code: `messages[0].content: ...`.
private func path(_ keys: [any CodingKey], _ fault: String) -> String {
  let place = keys.reduce(into: "") { path, key in
    if let index = key.intValue {
      path += "[\(index)]"
    } else {
      path += (path.isEmpty ? "" : ".") + key.stringValue
    }
  }
  return place.isEmpty ? fault : "\(place): \(fault)"
}
