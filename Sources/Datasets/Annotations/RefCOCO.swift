// RefCOCO, RefCOCO+ and RefCOCOg: a list of refs with their sentences and split, and COCO's instances with images and
// boxes.
import Foundation

extension Annotation {
  private struct Ref: Decodable {
    struct Sentence: Decodable {
      var sent_id: Int
      var sent: String
    }
    var ref_id, ann_id: Int
    var split: String
    var sentences: [Sentence]
  }

  private struct Instances: Decodable {
    struct Image: Decodable {
      var id: Int
      var file_name: String
    }
    struct Box: Decodable {
      var id, image_id: Int
      var bbox: [Double]
    }
    var images: [Image]
    var annotations: [Box]
  }

  /// Reads refs (the JSON of `refs(unc).p`) and `instances.json`. Each sentence of each ref of a split becomes a
  /// question; boxes are `[x, y, width, height]` in pixels. Group: `split`.
  ///
  /// The image is the one of `instances.json`, because a ref's own `file_name` contains the object's number.
  /// - Parameter split: as `val`, `testA`; nil: all.
  package static func refCOCO(
    refs: Foundation.Data, name: String, instances: Foundation.Data, instancesName: String, split: String?
  ) throws(DatasetError) -> [Annotation] {
    let known = try decode(Instances.self, from: instances, name: instancesName)
    let images = Dictionary(known.images.map { ($0.id, $0.file_name) }) { first, _ in first }
    let boxes = Dictionary(known.annotations.map { ($0.id, $0) }) { first, _ in first }
    let stem = URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent
    var annotations: [Annotation] = []
    for ref in try decode([Ref].self, from: refs, name: name) where split == nil || ref.split == split {
      guard let found = boxes[ref.ann_id], let image = images[found.image_id] else {
        throw .unreadable(
          file: name,
          reason:
            "ref \(ref.ref_id): \(instancesName) has no annotation \(ref.ann_id) with an image; "
            + "give the instances of these refs"
        )
      }
      let box = try box(found.bbox, at: "annotation \(ref.ann_id)", of: instancesName)
      for sentence in ref.sentences {
        annotations.append(
          Annotation(
            id: "\(stem)-\(ref.ref_id)-\(sentence.sent_id)", image: image, expression: sentence.sent, box: box,
            groups: ["split": ref.split]))
      }
    }
    return annotations
  }
}
