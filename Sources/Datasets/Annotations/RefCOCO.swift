// RefCOCO, RefCOCO+ and RefCOCOg: a list of refs with their sentences and split, and COCO's instances with images and
// boxes.
import Files
import Foundation

extension Annotation {
  /// Reads refs (the JSON of `refs(unc).p`) and `instances.json`. Each sentence of each ref of a split becomes a
  /// question; boxes are `[x, y, width, height]` in pixels. Group: `split`.
  ///
  /// The image is the one of `instances.json`, because a ref's own `file_name` contains the object's number.
  /// - Parameters:
  ///   - split: as `val`, `testA`; nil: all.
  ///   - size: the size of the image of a name, nil where only `instances.json` states it.
  /// - Throws: `DatasetError` naming the record, and what `size` throws.
  package static func refCOCO(
    refs: Foundation.Data, name: String, instances: Foundation.Data, instancesName: String, split: String?,
    size: (_ image: String) throws -> Size? = { _ in nil }
  ) throws -> [Annotation] {
    let known = try AnnotationRecord.document(instances, of: instancesName)
    let images = try byID(known.records("images"))
    let boxes = try byID(known.records("annotations"))
    let stem = URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent
    var annotations: [Annotation] = []
    for ref in try AnnotationRecord.list(refs, of: name) {
      let own = try ref.string("split")
      guard split.map({ own.hasSameBytes(as: $0) }) ?? true else { continue }
      let (id, boxID) = (try ref.integer("ref_id"), try ref.integer("ann_id"))
      guard let found = boxes[boxID], let image = images[try found.integer("image_id")] else {
        throw DatasetError.unreadable(
          file: name,
          reason:
            "ref \(id): \(instancesName) has no annotation \(boxID) with an image; give the instances of these refs")
      }
      let file = try image.string("file_name")
      let stated =
        image.has("width") && image.has("height")
        ? Size(width: try image.integer("width"), height: try image.integer("height")) : nil
      let size = try image.size(stated: stated, measured: try size(file))
      let box = try found.box(.xywh, in: size)
      for sentence in try ref.records("sentences") {
        annotations.append(
          Annotation(
            id: "\(stem)-\(id)-\(try sentence.integer("sent_id"))", image: file,
            expression: try sentence.string("sent"), box: box, size: size, groups: ["split": own]))
      }
    }
    return annotations
  }

  private static func byID(_ records: [AnnotationRecord]) throws -> [Int: AnnotationRecord] {
    Dictionary(try records.map { (try $0.integer("id"), $0) }) { first, _ in first }
  }
}
