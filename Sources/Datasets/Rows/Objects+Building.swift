// The rules of an example's boxes that need no image: their form, their images, what they count.
import Files

extension Objects {
  /// Largest coordinate: no image format read here is wider.
  static let maxCoordinate = Double(Int32.max)

  /// Checks the objects of an example with `imageCount` images.
  init(_ json: JSON, imageCount: Int, ignored: inout IgnoredKeys) throws(BadExample) {
    let object = try RowObject(json, .objects, at: "objects", ignored: &ignored)
    let unit = try Self.unit(object)
    let boxes = try Self.boxes(object, imageCount: imageCount)
    let sizes = try Self.sizes(object, imageCount: imageCount)
    if sizes != nil, unit != .real {
      throw BadExample("objects.bbox_type: \(unit.rawValue) boxes do not count in a width and height; take these out")
    }
    var references: [String] = []
    for (index, name) in (try object.list("ref", of: "names") ?? []).enumerated() {
      guard case .string(let name) = name else { throw object.failure("ref[\(index)]", "a text", name) }
      references.append(name)
    }
    self.init(boxes: boxes, references: references, unit: unit, sizes: sizes)
  }

  private static func unit(_ object: RowObject) throws(BadExample) -> Unit {
    guard let name = try object.text("bbox_type") else { return .real }
    guard let unit = Unit(rawValue: name) else {
      let known = Unit.allCases.map(\.rawValue).joined(separator: ", ")
      throw BadExample("objects.bbox_type: unknown type \(quoted(name)); use \(known)")
    }
    return unit
  }

  private static func boxes(_ object: RowObject, imageCount: Int) throws(BadExample) -> [Box] {
    guard let (key, value) = try object.one(of: ["bbox", "boxes"]) else { return [] }
    guard case .array(let items) = value else { throw object.failure(key, "a list of boxes", value) }
    let images = try object.list("image_id", of: "numbers")
    guard (images?.count ?? items.count) == items.count else {
      throw BadExample("objects: \(items.count) boxes but \(images?.count ?? 0) image_id")
    }
    var boxes: [Box] = []
    for (index, item) in items.enumerated() {
      let place = "objects.\(key)[\(index)]"
      guard case .array(let list) = item else {
        throw BadExample("\(place): expected [x1, y1, x2, y2] or [x, y], found \(item.shown)")
      }
      let numbers = list.compactMap(\.double)
      guard numbers.count == list.count, numbers.allSatisfy({ abs($0) <= maxCoordinate }) else {
        throw BadExample("\(place): is not made of numbers that an image can have")
      }
      guard numbers.count == 4 || numbers.count == 2 else {
        throw BadExample("\(place): \(numbers.count) numbers, needs [x1, y1, x2, y2] or [x, y]")
      }
      guard numbers.count == 2 || (numbers[0] != numbers[2] && numbers[1] != numbers[3]) else {
        throw BadExample("\(place): \(numbers) needs x1 < x2 and y1 < y2; a point is [x, y]")
      }
      let image = images.map { $0[index] } ?? .integer(0)
      guard let number = image.double, let image = Int(exactly: number), (0..<imageCount).contains(image) else {
        throw BadExample(
          "\(place): image_id \(image.shown) is none of the example's \(imageCount) images, counted from 0")
      }
      boxes.append(
        Box(
          x1: numbers[0], y1: numbers[1], x2: numbers[numbers.count - 2], y2: numbers[numbers.count - 1], image: image))
    }
    return boxes
  }

  /// `width` and `height`: numbers, or lists with one for each image.
  private static func sizes(_ object: RowObject, imageCount: Int) throws(BadExample) -> [Size]? {
    func numbers(_ key: String) throws(BadExample) -> [Double]? {
      guard let value = object[key] else { return nil }
      let items: [JSON] =
        if case .array(let items) = value { items } else { Array(repeating: value, count: imageCount) }
      let numbers = items.compactMap(\.double)
      guard numbers.count == imageCount, numbers.allSatisfy({ (1...maxCoordinate).contains($0) }) else {
        throw object.failure(key, "a number of pixels, or one for each of the \(imageCount) images", value)
      }
      return numbers
    }
    switch (try numbers("width"), try numbers("height")) {
    case (nil, nil): return nil
    case (let widths?, let heights?): return zip(widths, heights).map { Size(width: $0, height: $1) }
    default: throw BadExample("objects: needs width and height together")
    }
  }
}
