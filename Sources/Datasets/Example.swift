// One example of a data set as every accepted form of it is read: messages, the images they place, boxes.

/// The author of a message.
package enum Role: String, Sendable, Equatable { case system, user, assistant }

/// A piece of a message.
package enum ContentPart: Sendable, Equatable {
  case text(String)
  /// The image at this index of the example's `images`.
  case image(Int)
}

/// One turn.
package struct Message: Sendable, Equatable {
  package var role: Role
  package var content: [ContentPart]
  /// False leaves an assistant's message out of the loss.
  package var loss: Bool
  package init(role: Role, content: [ContentPart], loss: Bool = true) {
    self.role = role
    self.content = content
    self.loss = loss
  }
}

/// Where an image's bytes are.
package enum ImageSource: Sendable, Hashable {
  /// An absolute path, or one relative to the process.
  case file(String)
  /// PNG or JPEG bytes from a `data:` URL.
  case inline([UInt8])
}

/// What an example refers to, in pixels of the original images.
package struct Objects: Sendable, Equatable {
  package struct Box: Sendable, Equatable {
    /// Corners in pixels of the original image; right and bottom exclusive.
    package var x1, y1, x2, y2: Double
    /// Which of the example's images.
    package var image: Int
    package init(x1: Double, y1: Double, x2: Double, y2: Double, image: Int = 0) {
      (self.x1, self.y1, self.x2, self.y2, self.image) = (x1, y1, x2, y2, image)
    }
  }
  package var boxes: [Box]
  /// Names for `<ref>` placeholders, may be empty.
  package var references: [String]
  package init(boxes: [Box], references: [String] = []) {
    self.boxes = boxes
    self.references = references
  }
}

/// One example: unique id, images in the order in which the messages place them, messages, optional objects and groups.
package struct Example: Sendable, Equatable {
  package var id: String
  /// Line in the file, from 1, for messages.
  package var line: Int
  package var images: [ImageSource]
  package var messages: [Message]
  package var objects: Objects?
  /// Groups for which accuracy is reported separately, as `["task": "click-link"]`.
  package var groups: [String: String]
  package init(
    id: String, line: Int, images: [ImageSource], messages: [Message], objects: Objects? = nil,
    groups: [String: String] = [:]
  ) {
    self.id = id
    self.line = line
    self.images = images
    self.messages = messages
    self.objects = objects
    self.groups = groups
  }
}

/// Examples by id for a message: one, or the first and how many more.
package func names(_ examples: [Example]) -> String {
  guard let first = examples.first else { return "no example" }
  return examples.count == 1 ? "example \(first.id)" : "example \(first.id) and \(examples.count - 1) more"
}
