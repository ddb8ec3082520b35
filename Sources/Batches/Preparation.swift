// What was found out about examples before the first of them was used.
import Datasets
import Files

/// The usable examples of files and what each is like: all that a run must know of them at its start.
struct Preparation: Sendable {
  /// The row of each example.
  var rows: [RowPlace]
  /// The answer that each ends with, an index of its row's messages; nil: it is the row's whole conversation.
  var lastMessages: [Int?]
  /// What each is like for the decoder.
  var shapes: [ExampleShape]
  /// Group keys; see `imageKeys(of:)`.
  var keys: [Int]
  /// Images in files of their own, of bad rows too.
  var images: [LooseImage]
  var remarks: Remarks

  /// What is said of the examples as a whole.
  struct Remarks: Codable, Sendable {
    var digest, imagesDigest: String
    var problems: [ExampleProblem]
    var ignoredKeys: [KeyCount]
    var notices: [String]
    /// The examples by file.
    var parts: [Part]

    struct KeyCount: Codable, Sendable {
      var key: String
      var count: Int
    }

    struct Part: Codable, Sendable {
      var name: String
      var count: Int
      var weight: Double
    }
  }

  /// An image's file as it was.
  struct LooseImage: Sendable, Equatable {
    var path: String
    var state: FileState
    /// SHA-256 of its bytes, 64 hexadecimal digits; nil where it could not be used.
    var digest: String?
  }

  /// An example.
  /// - Throws: where its row is not what it was when the examples were prepared.
  func example(_ index: Int, of table: RowTable) throws(FileError) -> Example {
    let row: Example
    do { row = try table.example(rows[index]) } catch { throw Self.changed("\(error)") }
    guard let last = lastMessages[index] else { return row }
    guard row.messages.indices.contains(last), row.messages[last].role == .assistant else {
      throw Self.changed("message \(last) of example \(row.id) is no answer")
    }
    return row.branch(endingWith: last)
  }

  /// An example is another one than was prepared.
  static func changed(_ reason: String) -> FileError {
    FileError(
      "data.prepared", "an example is not as it was when it was prepared: \(reason)",
      remedy: "restore its row and images, or remove that folder's files if the run names one, and start again")
  }

  /// The examples by file, next to each other.
  var parts: [DatasetPart] {
    var end = 0
    return remarks.parts.map { part in
      defer { end += part.count }
      return DatasetPart(name: part.name, examples: end..<(end + part.count), weight: part.weight)
    }
  }
}

/// A file's size in bytes and when it was last written, in nanoseconds since 1970; both -1 where there is none.
struct FileState: Codable, Sendable, Equatable {
  var size, modified: Int

  init(size: Int, modified: Int) { (self.size, self.modified) = (size, modified) }

  init(ofFile path: String) {
    let identity = try? FileIdentity(path: path)
    self.init(size: identity?.size ?? -1, modified: identity?.modified ?? -1)
  }
}
