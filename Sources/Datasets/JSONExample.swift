// The accepted JSON forms of an example, as they are written: only JSON types are checked here.

/// An example of either form: `messages` (with `images` or content parts) or LLaVA's `conversations`.
struct JSONExample: Decodable {
  var id: JSONIdentifier?
  var images: [String]?
  var image: OneOrMany<String>?
  var messages: [JSONMessage]?
  var conversations: [JSONTurn]?
  var objects: JSONObjects?
  var group: JSONGroup?
}

/// The id alone, for naming an example of which the rest does not decode.
struct JSONExampleName: Decodable {
  var id: JSONIdentifier?
}

/// An id: a string, or an integer read as its digits.
struct JSONIdentifier: Decodable {
  let text: String
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      text = try container.decode(String.self)
    } catch let error as DecodingError {
      guard case .typeMismatch = error, let number = try? container.decode(Int.self) else { throw error }
      text = String(number)
    }
  }
}

/// A value, or a list of such values.
///
/// Here and below the common form is tried first: a failed try takes longer than an example.
struct OneOrMany<Value: Decodable>: Decodable {
  let values: [Value]
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      values = [try container.decode(Value.self)]
    } catch DecodingError.typeMismatch {
      values = try container.decode([Value].self)
    }
  }
}

struct JSONMessage: Decodable {
  var role: String
  var content: JSONContent
  var loss: Bool?
}

/// A turn of LLaVA's form.
struct JSONTurn: Decodable {
  var from: String
  var value: String
  var loss: Bool?
}

/// A message's content: a text, or OpenAI's list of parts.
enum JSONContent: Decodable {
  case text(String)
  case parts([JSONPart])
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      self = .text(try container.decode(String.self))
    } catch DecodingError.typeMismatch {
      self = .parts(try container.decode([JSONPart].self))
    }
  }
}

struct JSONPart: Decodable {
  var type: String
  var text: String?
  var image: String?
  var imageURL: JSONImageURL?

  enum CodingKeys: String, CodingKey {
    case type, text, image
    case imageURL = "image_url"
  }
}

/// OpenAI's `image_url`: an object with a `url`, or the address itself.
struct JSONImageURL: Decodable {
  let url: String
  private enum CodingKeys: CodingKey { case url }
  init(from decoder: any Decoder) throws {
    do {
      url = try decoder.singleValueContainer().decode(String.self)
    } catch DecodingError.typeMismatch {
      url = try decoder.container(keyedBy: CodingKeys.self).decode(String.self, forKey: .url)
    }
  }
}

/// `{"task": "click-link", ...}`, or a name alone as that of the key "group".
struct JSONGroup: Decodable {
  let values: [String: String]
  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do {
      values = try container.decode([String: String].self)
    } catch let error as DecodingError {
      guard case .typeMismatch = error, let name = try? container.decode(String.self) else { throw error }
      values = ["group": name]
    }
  }
}

struct JSONObjects: Decodable {
  var bbox: [[Double]]?
  var boxes: [[Double]]?
  var ref: [String]?
  /// Checked later: the decoder rejects a file with 0.5 in a list of integers as no JSON at all.
  var imageID: [Double]?

  enum CodingKeys: String, CodingKey {
    case bbox, boxes, ref
    case imageID = "image_id"
  }
}
