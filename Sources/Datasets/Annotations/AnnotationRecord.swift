// A record of an annotation file, read key by key, with messages that name the place in the file.
import Files
import Foundation

/// One JSON object of a benchmark's file.
struct AnnotationRecord {
  let file: String
  /// Where it stands, as `[3]` or `annotations[7]`.
  let place: String
  private let values: [ExactString: JSON]

  private init(_ json: JSON, at place: String, of file: String) throws(DatasetError) {
    (self.file, self.place) = (file, place)
    guard case .object(let members) = json else {
      throw .unreadable(file: file, reason: "\(place): expected an object, found \(json.kind)")
    }
    var values: [ExactString: JSON] = [:]
    for member in members where values.updateValue(member.value, forKey: ExactString(member.key)) != nil {
      throw .unreadable(file: file, reason: "\(place).\(quoted(member.key)): given twice")
    }
    self.values = values
  }

  /// The records of a file that is a list.
  static func list(_ data: Foundation.Data, of file: String) throws(DatasetError) -> [AnnotationRecord] {
    guard case .array(let elements) = try parse(data, file) else {
      throw .unreadable(file: file, reason: "expected a list of records; give a benchmark's annotations")
    }
    return try records(elements, in: "", of: file)
  }

  /// The record of a file that is an object.
  static func document(_ data: Foundation.Data, of file: String) throws(DatasetError) -> AnnotationRecord {
    try AnnotationRecord(parse(data, file), at: "the document", of: file)
  }

  private static func parse(_ data: Foundation.Data, _ file: String) throws(DatasetError) -> JSON {
    do {
      return try JSON(parsing: Array(data))
    } catch {
      throw .unreadable(file: file, reason: "not valid JSON: byte \(error.byte): \(error.problem)")
    }
  }

  private static func records(
    _ elements: [JSON], in list: String, of file: String
  ) throws(DatasetError) -> [AnnotationRecord] {
    var records: [AnnotationRecord] = []
    records.reserveCapacity(elements.count)
    for (index, element) in elements.enumerated() {
      records.append(try AnnotationRecord(element, at: "\(list)[\(index)]", of: file))
    }
    return records
  }

  /// An error about a key.
  func failure(_ key: String, _ problem: String) -> DatasetError {
    .unreadable(file: file, reason: "\(path(key)): \(problem)")
  }

  private func path(_ key: String) -> String { place == "the document" ? key : "\(place).\(key)" }

  /// Whether there is a value; `null` is none.
  func has(_ key: ExactString) -> Bool { (values[key] ?? .null) != .null }

  private func value(_ key: String) throws(DatasetError) -> JSON {
    guard let value = values[ExactString(key)] else {
      throw .unreadable(file: file, reason: "\(place): has no \"\(key)\"")
    }
    return value
  }

  func string(_ key: String) throws(DatasetError) -> String {
    let value = try value(key)
    guard case .string(let text) = value else { throw failure(key, "expected a string, found \(value.kind)") }
    return text
  }

  func integer(_ key: String) throws(DatasetError) -> Int {
    let value = try value(key)
    guard case .integer(let number) = value else { throw failure(key, "expected an integer, found \(value.kind)") }
    return number
  }

  func records(_ key: String) throws(DatasetError) -> [AnnotationRecord] {
    let value = try value(key)
    guard case .array(let elements) = value else { throw failure(key, "expected a list, found \(value.kind)") }
    return try Self.records(elements, in: path(key), of: file)
  }

  private func numbers(_ key: String) throws(DatasetError) -> [Double] {
    let value = try value(key)
    guard case .array(let elements) = value else { throw failure(key, "expected four numbers, found \(value.kind)") }
    var numbers: [Double] = []
    for element in elements {
      guard let number = element.double else { throw failure(key, "expected numbers, found \(element.kind)") }
      numbers.append(number)
    }
    return numbers
  }

  /// `bbox` in pixels of an image.
  /// - Parameter size: the image's, nil if it is not known.
  func box(_ form: BoxForm, in size: Annotation.Size?) throws(DatasetError) -> Objects.Box {
    let numbers = try numbers("bbox")
    do {
      return try form.box(numbers, in: size)
    } catch {
      let shown = numbers.map { Int(exactly: $0).map(String.init) ?? "\($0)" }.joined(separator: ", ")
      throw .unreadable(file: file, reason: "\(place): bbox [\(shown)] \(error.text)")
    }
  }

  /// An image's width and height, `[width, height]` under one key.
  func size(_ key: String) throws(DatasetError) -> Annotation.Size {
    let numbers = try numbers(key)
    guard numbers.count == 2, let width = Int(exactly: numbers[0]), let height = Int(exactly: numbers[1]),
      width > 0, height > 0
    else { throw failure(key, "expected [width, height] in pixels") }
    return Annotation.Size(width: width, height: height)
  }

  /// The size to compare a box with: as the annotations state it, or as the image has it; both must be the same.
  func size(stated: Annotation.Size?, measured: Annotation.Size?) throws(DatasetError) -> Annotation.Size? {
    if let stated, let measured, stated != measured {
      throw .unreadable(
        file: file,
        reason: "\(place): says that the image is \(stated), but it is \(measured); give the images of this benchmark")
    }
    return stated ?? measured
  }
}
