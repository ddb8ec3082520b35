// What a row says, as an example: a function of its bytes and of how its file is read.
import Files

/// Makes examples of the rows of one file.
struct RowParser: Sendable {
  let reader: ExampleReader
  /// Before ids.
  let prefix: String

  init(_ reader: ExampleReader) {
    self.reader = reader
    prefix = reader.name.isEmpty ? "" : reader.name + ":"
  }

  /// The example of a row.
  /// - Parameters:
  ///   - folder: where its images are looked for.
  ///   - ignored: takes the keys of the row that were left out.
  func example(
    of row: RowSplitter.Row, folder: ImageFolder, ignored: inout IgnoredKeys
  ) throws(ExampleProblem) -> Example {
    var id = prefix + row.name
    func problem(_ reason: String) -> ExampleProblem { ExampleProblem(line: row.line, id: id, reason: reason) }
    guard row.bytes.count <= reader.maxLineBytes else {
      throw problem(
        "the row has \(row.bytes.count) bytes, the limit is \(reader.maxLineBytes); give images as files")
    }
    let json: JSON
    do { json = try JSON(parsing: Array(row.bytes)) } catch { throw problem("not valid JSON: \(error)") }
    do throws(BadExample) {
      if let own = Self.id(in: json), (try? Example.check(id: own)) != nil { id = prefix + own }
      let object = try RowObject(json, .row, at: "", ignored: &ignored)
      let own = try Example.id(of: object)
      let name =
        switch reader.ids {
        case .own: own ?? row.name
        case .line: own.map { Example.lineID($0, row.number) } ?? row.name
        }
      var example = try Example(
        object, id: prefix + name, line: row.line, root: folder, system: reader.system, ignored: &ignored)
      if !reader.name.isEmpty, example.groups["file"] == nil { example.groups["file"] = reader.name }
      return example
    } catch {
      throw problem(error.reason)
    }
  }

  /// The id of a row of which the rest may be bad.
  private static func id(in json: JSON) -> String? {
    guard case .object(let members) = json else { return nil }
    return switch members.first(where: { $0.key.hasSameBytes(as: "id") })?.value {
    case .string(let text): text
    case .integer(let number): String(number)
    default: nil
    }
  }
}
