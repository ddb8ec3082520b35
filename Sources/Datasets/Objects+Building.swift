// The rules of an example's boxes: four corners in pixels, left before right, top before bottom, on one of its images.

extension Objects {
  /// Largest coordinate, in pixels: no image format read here is wider.
  static let maxCoordinate = Double(Int32.max)

  /// Checks decoded objects of an example with `imageCount` images.
  init(_ json: JSONObjects, imageCount: Int) throws(BadExample) {
    if json.bbox != nil && json.boxes != nil { throw BadExample("objects: has both \"bbox\" and \"boxes\"; keep one") }
    let corners = json.bbox ?? json.boxes ?? []
    let images = json.imageID ?? Array(repeating: 0, count: corners.count)
    guard images.count == corners.count else {
      throw BadExample("objects: \(corners.count) boxes but \(images.count) image_id")
    }
    var boxes: [Box] = []
    for (index, (box, image)) in zip(corners, images).enumerated() {
      let place = "objects.bbox[\(index)]"
      guard box.count == 4 else { throw BadExample("\(place): \(box.count) numbers, needs [x1, y1, x2, y2]") }
      guard box.allSatisfy({ (0...Self.maxCoordinate).contains($0) }) else {
        throw BadExample("\(place): \(box) is not in pixels of an image")
      }
      guard box[0] < box[2], box[1] < box[3] else {
        throw BadExample("\(place): \(box) needs x1 < x2 and y1 < y2")
      }
      guard let image = Int(exactly: image), (0..<imageCount).contains(image) else {
        throw BadExample("\(place): image_id \(image) is none of the example's \(imageCount) images, counted from 0")
      }
      boxes.append(Box(x1: box[0], y1: box[1], x2: box[2], y2: box[3], image: image))
    }
    self.init(boxes: boxes, references: json.ref ?? [])
  }
}
