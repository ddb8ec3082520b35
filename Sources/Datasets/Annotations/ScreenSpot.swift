// ScreenSpot and ScreenSpot-v2: a JSON list of {img_filename, bbox [x, y, width, height], instruction, data_type,
// data_source}. ScreenSpot-Pro: of {img_filename, bbox [x1, y1, x2, y2], instruction, img_size, id, application, group,
// platform, ui_type}.
import Files
import Foundation

extension Annotation {
  /// Reads one of ScreenSpot's files, boxes in pixels of the image.
  ///
  /// Groups of ScreenSpot(-v2) are `data_type` (text or icon), `data_source`, `platform` (mobile, desktop or web, by
  /// the image's name) and `subset`, the columns of the published tables, as `mobile text`. Of ScreenSpot-Pro, whose
  /// records have `img_size`, they are `group`, `application`, `platform`, `ui_type`, as far as a record has them, and
  /// `subset`, group and type.
  /// - Parameters:
  ///   - name: the file, for messages and ids.
  ///   - form: what the numbers of boxes are; nil: corners where a record has `img_size`, `[x, y, width, height]`
  ///     otherwise.
  ///   - size: the size of the image of a name, nil where it is not known.
  /// - Throws: `DatasetError` naming the record, and what `size` throws.
  package static func screenSpot(
    _ data: Foundation.Data, name: String, form: BoxForm? = nil, size: (_ image: String) throws -> Size? = { _ in nil }
  ) throws -> [Annotation] {
    let stem = URL(fileURLWithPath: name).deletingPathExtension().lastPathComponent
    return try AnnotationRecord.list(data, of: name).enumerated().map { index, record in
      let isPro = record.has("img_size")
      let image = try record.string("img_filename")
      let size = try record.size(stated: isPro ? try record.size("img_size") : nil, measured: try size(image))
      return Annotation(
        id: isPro && record.has("id") ? try record.string("id") : "\(stem)-\(index)", image: image,
        expression: try record.string("instruction"),
        box: try record.box(form ?? (isPro ? .xyxy : .xywh), in: size), size: size,
        groups: isPro ? try proGroups(record) : try groups(record, image: image))
    }
  }

  private static func groups(_ record: AnnotationRecord, image: String) throws -> [String: String] {
    let platforms: [ExactString: String] = ["mobile": "mobile", "pc": "desktop", "web": "web"]
    guard let platform = platforms[ExactString(String(image.prefix { $0 != "_" }))] else {
      throw record.failure("img_filename", "\(quoted(image)) begins with none of mobile_, pc_, web_")
    }
    let type = try record.string("data_type")
    return [
      "data_type": type, "data_source": try record.string("data_source"), "platform": platform,
      "subset": "\(platform) \(type)",
    ]
  }

  private static func proGroups(_ record: AnnotationRecord) throws -> [String: String] {
    var groups: [String: String] = [:]
    for key in ["group", "application", "platform", "ui_type"] where record.has(ExactString(key)) {
      groups[key] = try record.string(key)
    }
    if let group = groups["group"], let type = groups["ui_type"] { groups["subset"] = "\(group) \(type)" }
    return groups
  }
}
