// The resolved run as text, and the digest of what its results depend on.
import Digests

extension RunConfiguration {
  /// The resolved run: every key in a fixed order, defaults spelled out, paths absolute, absent keys left out.
  ///
  /// Reading it gives the same run, wherever it is saved.
  package var yaml: String {
    var printer = Printer()
    var run = self
    run.visit(&printer)
    return printer.text
  }

  /// Everything of the run that decides what examples of any files are like, but the contents of the model's.
  package var exampleSettings: String {
    var printer = Printer()
    var run = self
    (run.data.train, run.data.validation, run.data.prepared) = (DataFiles(), nil, nil)
    (run.data.validationFraction, run.data.validationSeed) = (nil, nil)
    printer.section("data", &run.data)
    printer.field("template", &run.model.template, .any, .numbers)
    printer.field("min_pixels", &run.model.minPixels, .any, .numbers)
    printer.field("max_pixels", &run.model.maxPixels, .any, .numbers)
    return printer.text
  }

  /// Keys that the results depend on, as `training.seed`, and their values; absent keys are left out.
  package var decisiveSettings: [(key: String, value: String)] {
    var decisive = Decisive()
    var run = self
    run.visit(&decisive)
    return decisive.settings
  }

  /// SHA-256 of what the results depend on: `model.{precision, emulate_bf16, reproducible, min_pixels, max_pixels,
  /// template, threads}`, `data.{system, max_length, group_by_image, coordinates, transparency, exif_orientation}`, all
  /// of `adapter` but the paths `heads.file` and `start`, all of `training` but `activation_memory_mib` and
  /// `validation_every_steps`.
  ///
  /// Paths, cached vision features, checkpoints and logging do not count. The contents at the paths do: the caller
  /// passes the digests of the base model, of its template, of the examples and of an adapter to start from, in a fixed
  /// order.
  package func digest(including contents: [String]) -> String {
    var digest = SHA256()
    for setting in decisiveSettings { digest.update("\(setting.key)=\(setting.value)\n") }
    for content in contents { digest.update("\(content.utf8.count) \(content)\n") }
    return digest.finish()
  }
}

private struct Printer: Visitor {
  typealias Failure = Never
  var text = ""
  private var indentation = ""

  mutating func section<S: Section>(_ key: String, _ section: inout S) {
    text += "\(indentation)\(key):\n"
    indentation += "  "
    section.visit(&self)
    indentation.removeLast(2)
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V, _ accepted: Accepted<V>, _ effect: Effect) {
    text += "\(indentation)\(key): \(value.yaml)\n"
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V?, _ accepted: Accepted<V>, _ effect: Effect) {
    if var value { field(key, &value, accepted, effect) }
  }
}

private struct Decisive: Visitor {
  typealias Failure = Never
  var settings: [(key: String, value: String)] = []
  private var prefix = ""

  mutating func section<S: Section>(_ key: String, _ section: inout S) {
    let parent = prefix
    prefix += key + "."
    section.visit(&self)
    prefix = parent
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V, _ accepted: Accepted<V>, _ effect: Effect) {
    switch effect {
    case .elsewhere: break
    case .numbersUnless(let old) where value.yaml == old: break
    case .numbers, .numbersUnless: settings.append((prefix + key, value.yaml))
    }
  }

  mutating func field<V: Value>(_ key: String, _ value: inout V?, _ accepted: Accepted<V>, _ effect: Effect) {
    if var value { field(key, &value, accepted, effect) }
  }
}
