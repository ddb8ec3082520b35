// What an adapter was trained with and must be used with: with anything else its parameters are meaningless.
import Batches
import Files
import Preprocessing

/// Base, chat template, image limits and coordinates; nil where an adapter's files do not state it.
///
/// Checkpoints hold it as attributes, adapter folders as keys of a JSON document (docs/formats.md).
package struct AdapterProvenance: Sendable, Equatable, Codable {
  /// Fingerprint of the base's weights; see `BaseModel.digest`.
  package var baseDigest: String?
  package var templateDigest: String?
  /// Area of a resized image, in pixels.
  package var minPixels, maxPixels: Int?
  /// What places in texts are written in.
  package var coordinates: Coordinates?

  private enum CodingKeys: String, CodingKey {
    case baseDigest = "base_digest"
    case templateDigest = "chat_template_digest"
    case minPixels = "min_pixels"
    case maxPixels = "max_pixels"
    case coordinates
  }

  package init(
    baseDigest: String? = nil, templateDigest: String? = nil, minPixels: Int? = nil, maxPixels: Int? = nil,
    coordinates: Coordinates? = nil
  ) {
    (self.baseDigest, self.templateDigest) = (baseDigest, templateDigest)
    (self.minPixels, self.maxPixels, self.coordinates) = (minPixels, maxPixels, coordinates)
  }

  /// The provenance of an adapter trained on a base in use.
  /// - Parameter coordinates: those of the examples; nil where they are not stated, which matches all.
  package init(of base: BaseModel, coordinates: Coordinates? = nil) {
    self.init(
      baseDigest: base.digest, templateDigest: base.template.digest, minPixels: base.preprocessor.minPixels,
      maxPixels: base.preprocessor.maxPixels, coordinates: coordinates)
  }

  /// The parts that are compared.
  package enum Part: Sendable, CaseIterable {
    case base, template, imageLimits, coordinates
  }

  /// Throws unless everything that both sides state agrees.
  /// - Parameters:
  ///   - used: what is in use here.
  ///   - parts: what is compared.
  ///   - folder: the folder of the base in use.
  ///   - file: the adapter's file.
  ///   - setting: how the user sets a key of the run file, as `model.min_pixels`, to a value.
  /// - Throws: `FileError` that lists every difference and how to fix it.
  package func requireMatch(
    _ used: AdapterProvenance, of parts: Set<Part> = Set(Part.allCases), folder: String, file: String,
    setting: (_ key: String, _ value: String) -> String = { "\($0): \($1) in the run file" }
  ) throws(FileError) {
    func differ<Value: Equatable>(_ part: Part, _ trained: Value?, _ here: Value?) -> (trained: Value, here: Value)? {
      guard parts.contains(part), let trained, let here, trained != here else { return nil }
      return (trained, here)
    }
    var differences: [String] = []
    if let (trained, here) = differ(.base, baseDigest, used.baseDigest) {
      differences.append(
        "base model (base_digest \(trained.prefix(12)), that of \(folder) is \(here.prefix(12))): give the base that "
          + "it was trained on")
    }
    if let (trained, here) = differ(.template, templateDigest, used.templateDigest) {
      differences.append(
        "chat template (chat_template_digest \(trained.prefix(12)), that of \(folder) is \(here.prefix(12))): put the "
          + "template of the training into that folder")
    }
    for (key, trained, here) in [
      ("min_pixels", minPixels, used.minPixels), ("max_pixels", maxPixels, used.maxPixels),
    ] {
      guard let (trained, here) = differ(.imageLimits, trained, here) else { continue }
      differences.append("\(key) (\(trained), here \(here)): set \(setting("model.\(key)", "\(trained)"))")
    }
    if let (trained, here) = differ(.coordinates, coordinates, used.coordinates) {
      differences.append(
        "coordinates (\(trained.rawValue), here \(here.rawValue)): set "
          + setting("data.coordinates", trained.rawValue))
    }
    guard differences.isEmpty else {
      throw FileError(file, "the adapter was trained with another " + differences.joined(separator: "; another "))
    }
  }
}
