// One example of a data set as every accepted form of it is read: messages, the images they place, boxes.
import Files

/// The author of a message.
package enum Role: String, Sendable, Equatable { case system, user, assistant, tool }

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
  /// What an assistant thought before its answer; nil where the row does not say.
  package var thoughts: String?
  /// Calls of tools by an assistant, as the row has them; may be empty.
  package var toolCalls: [JSON]
  /// Of a tool's message: which call it answers.
  package var callID: String?
  package init(
    role: Role, content: [ContentPart], loss: Bool = true, thoughts: String? = nil, toolCalls: [JSON] = [],
    callID: String? = nil
  ) {
    (self.role, self.content, self.loss) = (role, content, loss)
    (self.thoughts, self.toolCalls, self.callID) = (thoughts, toolCalls, callID)
  }
}

/// Where an image's bytes are, and the size that its row asks for.
package struct ImageSource: Sendable, Hashable {
  package enum Address: Sendable, Hashable {
    /// An absolute path, or one relative to the process; two names of one letter in two Unicode forms are two files.
    case file(ExactString)
    /// Bytes of an image file from a `data:` URL.
    case inline([UInt8])
    /// An image of the file that the rows themselves were read from.
    case packed(PackedImage)
  }

  package var address: Address
  /// Nil: the run's limits alone decide.
  package var requestedSize: RequestedSize?

  package init(_ address: Address, requestedSize: RequestedSize? = nil) {
    (self.address, self.requestedSize) = (address, requestedSize)
  }

  /// An image in a file.
  package static func file(_ path: String) -> ImageSource { ImageSource(.file(ExactString(path))) }
  /// An image inside a row.
  package static func inline(_ bytes: [UInt8]) -> ImageSource { ImageSource(.inline(bytes)) }
}

/// The size of one image, before the run's limits: `fetch_image` of qwen_vl_utils.
package enum RequestedSize: Sendable, Hashable {
  /// Area in pixels; nil where the row says nothing.
  case limits(minPixels: Int?, maxPixels: Int?)
  /// In pixels.
  case sides(height: Int, width: Int)
}

/// What an example refers to, as its row states it.
package struct Objects: Sendable, Equatable {
  package struct Box: Sendable, Equatable {
    /// Corners; right and bottom exclusive. A point has both in one place.
    package var x1, y1, x2, y2: Double
    /// Which of the example's images.
    package var image: Int
    package init(x1: Double, y1: Double, x2: Double, y2: Double, image: Int = 0) {
      (self.x1, self.y1, self.x2, self.y2, self.image) = (x1, y1, x2, y2, image)
    }

    /// Whether it is a point.
    package var isPoint: Bool { x1 == x2 && y1 == y2 }
  }

  /// What the numbers of boxes count: `bbox_type` of ms-swift.
  package enum Unit: String, Sendable, CaseIterable {
    /// Pixels of the original image.
    case real
    /// Shares of the image's sides, 0 to 1.
    case norm1
    /// Thousandths of the image's sides.
    case norm1000
  }

  /// Width and height, in pixels.
  package struct Size: Sendable, Equatable {
    package var width, height: Double
    package init(width: Double, height: Double) { (self.width, self.height) = (width, height) }
  }

  package var boxes: [Box]
  /// Names for `<ref>` placeholders, may be empty.
  package var references: [String]
  package var unit: Unit
  /// Sizes of the images in which real boxes count, one an image; nil: the images' own.
  package var sizes: [Size]?
  package init(boxes: [Box], references: [String] = [], unit: Unit = .real, sizes: [Size]? = nil) {
    (self.boxes, self.references, self.unit, self.sizes) = (boxes, references, unit, sizes)
  }
}

/// One example: unique id, images in the order in which the messages place them, messages, optional objects and groups.
///
/// A row is one example, unless the model's template writes earlier answers in another way than the last one: then each
/// earlier answer is an example of its own (see `branch`).
package struct Example: Sendable, Equatable {
  package var id: String
  /// Line in the file, from 1, for messages.
  package var line: Int
  package var images: [ImageSource]
  package var messages: [Message]
  /// The message, an answer, with which this example's conversation ends, and which alone is learned. Nil: the example
  /// is the row's whole conversation.
  package private(set) var lastMessage: Int?
  /// Descriptions of tools for the chat template, may be empty.
  package var tools: [JSON]
  package var objects: Objects?
  /// Groups for which accuracy is reported separately, as `["task": "click-link"]`.
  package var groups: [String: String]
  /// Right answers besides the last turn's, against which a generated one is scored; may be empty.
  package var answers: [String]
  /// How it is scored; nil: as the run says.
  package var scorer: Scorer?
  package init(
    id: String, line: Int, images: [ImageSource], messages: [Message], tools: [JSON] = [], objects: Objects? = nil,
    groups: [String: String] = [:], answers: [String] = [], scorer: Scorer? = nil
  ) {
    self.id = id
    self.line = line
    self.images = images
    self.messages = messages
    self.tools = tools
    self.objects = objects
    self.groups = groups
    (self.answers, self.scorer) = (answers, scorer)
  }
}

extension Example {
  /// The example of an earlier answer of this row, `id@index`: the conversation up to it, of which it alone is learned.
  /// It keeps the row's images and messages, since placeholders are filled and images shared over the whole row.
  package func branch(endingWith index: Int) -> Example {
    precondition(lastMessage == nil && messages[index].role == .assistant, "a branch is one of a row's answers")
    var branch = self
    branch.id = "\(id)@\(index)"
    branch.lastMessage = index
    return branch
  }

  /// The id of the example's row.
  package var row: String {
    lastMessage.map { String(decoding: id.utf8.dropLast("@\($0)".utf8.count), as: UTF8.self) } ?? id
  }

  /// The messages up to the end of the example's conversation.
  package var conversation: ArraySlice<Message> { messages[...(lastMessage ?? messages.count - 1)] }
}

/// Examples by id for a message: one, or the first and how many more.
package func names(_ examples: [Example]) -> String {
  guard let first = examples.first else { return "no example" }
  return examples.count == 1 ? "example \(first.id)" : "example \(first.id) and \(examples.count - 1) more"
}
