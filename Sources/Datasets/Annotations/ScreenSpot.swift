// ScreenSpot and ScreenSpot-v2: a JSON list of {img_filename, bbox [x, y, width, height], instruction, data_type,
// data_source}.
import Files
import Foundation

extension Annotation {
  private struct ScreenSpotRecord: Decodable {
    var img_filename, instruction, data_type, data_source: String
    var bbox: [Double]
  }

  /// Reads one of ScreenSpot's files, boxes in pixels of the image.
  ///
  /// Groups are `data_type` (text or icon), `data_source`, `platform` (mobile, desktop or web, by the image's name) and
  /// `subset`, the columns of the published tables, as `mobile text`.
  /// - Parameter name: the file, for messages and ids.
  package static func screenSpot(_ data: Foundation.Data, name: String) throws(DatasetError) -> [Annotation] {
    let stem = URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent
    var annotations: [Annotation] = []
    for (index, record) in try decode([ScreenSpotRecord].self, from: data, name: name).enumerated() {
      let prefix = String(record.img_filename.prefix { $0 != "_" })
      guard let platform = ["mobile": "mobile", "pc": "desktop", "web": "web"][prefix] else {
        throw .unreadable(
          file: name,
          reason: "[\(index)]: img_filename \(quoted(record.img_filename)) begins with none of mobile_, pc_, web_")
      }
      annotations.append(
        Annotation(
          id: "\(stem)-\(index)", image: record.img_filename, expression: record.instruction,
          box: try box(record.bbox, at: "[\(index)]", of: name),
          groups: [
            "data_type": record.data_type, "data_source": record.data_source, "platform": platform,
            "subset": "\(platform) \(record.data_type)",
          ]))
    }
    return annotations
  }
}
