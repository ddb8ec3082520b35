// What an adapter was trained with and must be used with: elsewhere its parameters mean something else.
import Batches
import Files
import HuggingFace
import Preprocessing

/// Base, chat template and what it was given, image limits, coordinates and the reading of images; nil where an
/// adapter's files do not say.
///
/// Checkpoints hold it as attributes, adapter folders as keys of a JSON document (docs/formats.md).
package struct AdapterProvenance: Sendable, Equatable, Codable {
  /// Fingerprint of the base's weights; see `BaseModel.digest`.
  package var baseDigest: String?
  /// The digest over all bytes of the base's weights, where it is known; see `FullDigest`.
  package var baseFullDigest: String?
  package var templateDigest: String?
  /// What the template was given to read; nil where nothing was.
  package var templateVariables: TemplateVariables?
  /// Area of a resized image, in pixels.
  package var minPixels, maxPixels: Int?
  /// What places in texts are written in.
  package var coordinates: Coordinates?
  /// How image files became pixels.
  package var transparency: ImageReading.Transparency?
  package var exifOrientation: ImageReading.ExifOrientation?

  private enum CodingKeys: String, CodingKey {
    case baseDigest = "base_digest"
    case baseFullDigest = "base_full_digest"
    case templateDigest = "chat_template_digest"
    case templateVariables = "chat_template_variables"
    case minPixels = "min_pixels"
    case maxPixels = "max_pixels"
    case coordinates
    case transparency
    case exifOrientation = "exif_orientation"
  }

  package init(
    baseDigest: String? = nil, templateDigest: String? = nil, templateVariables: TemplateVariables? = nil,
    minPixels: Int? = nil, maxPixels: Int? = nil, coordinates: Coordinates? = nil, reading: ImageReading? = nil
  ) {
    self.baseDigest = baseDigest
    (self.templateDigest, self.templateVariables) = (templateDigest, templateVariables)
    (self.minPixels, self.maxPixels, self.coordinates) = (minPixels, maxPixels, coordinates)
    (transparency, exifOrientation) = (reading?.transparency, reading?.exifOrientation)
  }

  /// With what versions before 0.3.0 did, which stated no reading of images, where an adapter was trained by one.
  var ofItsVersion: AdapterProvenance {
    guard baseDigest != nil, transparency == nil, exifOrientation == nil else { return self }
    var old = self
    (old.transparency, old.exifOrientation) = (.drop, .ignore)
    return old
  }

  /// How the adapter's images must be decoded, as far as it says.
  package var reading: ImageReading {
    var reading = ImageReading()
    reading.transparency = transparency ?? reading.transparency
    reading.exifOrientation = exifOrientation ?? reading.exifOrientation
    return reading
  }

  /// That of a base in use.
  /// - Parameter coordinates: those of the examples; nil where nobody says, which matches all.
  package init(of base: BaseModel, coordinates: Coordinates? = nil) {
    self.init(
      baseDigest: base.digest, templateDigest: base.template.digest,
      templateVariables: base.template.variables.isEmpty ? nil : base.template.variables,
      minPixels: base.preprocessor.minPixels, maxPixels: base.preprocessor.maxPixels, coordinates: coordinates,
      reading: base.reading)
    baseFullDigest = base.fullDigest
  }

  /// What can differ.
  package enum Part: Sendable, CaseIterable {
    case base, template, templateVariables, imageLimits, coordinates, reading
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
        "a different base model (base_digest \(trained.prefix(12)), that of \(folder) is \(here.prefix(12))): give the base that it "
          + "was trained on")
    } else if let (trained, here) = differ(.base, baseFullDigest, used.baseFullDigest) {
      differences.append(
        "a base model with other bytes (base_full_digest \(trained.prefix(12)), that of \(folder) is "
          + "\(here.prefix(12)); a sample of them is the same): give the base that it was trained on")
    }
    if let (trained, here) = differ(.template, templateDigest, used.templateDigest) {
      differences.append(
        "a different chat template (chat_template_digest \(trained.prefix(12)), that of \(folder) is \(here.prefix(12))): put the "
          + "template of the training into that folder")
    }
    // Where a template is stated and no variables are, there were none.
    let variables = (trained: templateVariables, here: used.templateVariables)
    if parts.contains(.templateVariables), templateDigest != nil, used.templateDigest != nil,
      variables.trained != variables.here
    {
      func words(_ variables: TemplateVariables?) -> String { variables?.canonical ?? "none" }
      let remedy = variables.trained.map { "set \(setting("model.template", $0.canonical))" } ?? "set none"
      differences.append(
        "different variables of the chat template (\(words(variables.trained)), here \(words(variables.here))): \(remedy)"
      )
    }
    for (key, trained, here) in [
      ("min_pixels", minPixels, used.minPixels), ("max_pixels", maxPixels, used.maxPixels),
    ] {
      guard let (trained, here) = differ(.imageLimits, trained, here) else { continue }
      differences.append("a different \(key) (\(trained), here \(here)): set \(setting("model.\(key)", "\(trained)"))")
    }
    if let (trained, here) = differ(.coordinates, coordinates, used.coordinates) {
      differences.append(
        "different coordinates (\(trained.rawValue), here \(here.rawValue)): set "
          + setting("data.coordinates", trained.rawValue))
    }
    for (key, trained, here) in [
      ("transparency", transparency?.rawValue, used.transparency?.rawValue),
      ("exif_orientation", exifOrientation?.rawValue, used.exifOrientation?.rawValue),
    ] {
      guard let (trained, here) = differ(.reading, trained, here) else { continue }
      differences.append("a different \(key) (\(trained), here \(here)): set \(setting("data.\(key)", trained))")
    }
    guard differences.isEmpty else {
      throw FileError(file, "the adapter was trained with " + differences.joined(separator: "; "))
    }
  }
}
