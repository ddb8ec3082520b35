// What an adapter was trained with and must be used with: elsewhere its numbers mean something else.
import Adapters
import Units

/// Base, template and pixel limits; nil where an adapter's files do not say.
package struct AdapterConditions: Sendable, Equatable {
  package var baseDigest, templateDigest: String?
  package var minPixels, maxPixels: Int?

  package init(baseDigest: String?, templateDigest: String?, minPixels: Int?, maxPixels: Int?) {
    (self.baseDigest, self.templateDigest) = (baseDigest, templateDigest)
    (self.minPixels, self.maxPixels) = (minPixels, maxPixels)
  }

  package init(of base: BaseModel) {
    self.init(
      baseDigest: base.digest, templateDigest: base.template.digest, minPixels: base.preprocessor.minPixels,
      maxPixels: base.preprocessor.maxPixels)
  }

  package init(_ config: AdapterFiles.Conditions) {
    self.init(
      baseDigest: config.base_digest, templateDigest: config.chat_template_digest, minPixels: config.min_pixels,
      maxPixels: config.max_pixels)
  }

  /// Throws where this base does not fulfil them.
  /// - Parameters:
  ///   - file: the adapter's file, for messages.
  ///   - setting: how the user sets `min_pixels` or `max_pixels` to a value.
  /// - Throws: `EvaluationError.conditions` with every difference and how to mend it.
  package func require(
    of base: BaseModel, file: String, setting: (_ key: String, _ value: Int) -> String
  ) throws(EvaluationError) {
    try require(AdapterConditions(of: base), folder: base.folder, file: file, setting: setting)
  }

  func require(
    _ used: AdapterConditions, folder: String, file: String, setting: (_ key: String, _ value: Int) -> String
  ) throws(EvaluationError) {
    func short(_ digest: String?) -> String { digest.map { "\($0.prefix(12))" } ?? "none" }
    var differences: [String] = []
    if let baseDigest, baseDigest != used.baseDigest {
      differences.append(
        "base model (\(short(baseDigest)), \(folder) is \(short(used.baseDigest))): give the base that it was trained "
          + "on")
    }
    if let templateDigest, templateDigest != used.templateDigest {
      differences.append(
        "chat template (\(short(templateDigest)), \(folder) has \(short(used.templateDigest))): put the template of "
          + "the training into that folder")
    }
    for (key, trained, here) in [
      ("min_pixels", minPixels, used.minPixels), ("max_pixels", maxPixels, used.maxPixels),
    ] {
      guard let trained, trained != here else { continue }
      differences.append("\(key) (\(trained), here \(here.map(String.init) ?? "none")): set \(setting(key, trained))")
    }
    if !differences.isEmpty { throw .conditions(file: file, differences: differences) }
  }
}
