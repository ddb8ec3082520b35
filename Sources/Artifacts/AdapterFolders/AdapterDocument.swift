// A JSON document of an adapter's folder: checked against its digest, its keys read in this program's words.
import Adapters
import Digests
import Files
import Foundation
import HuggingFace

/// adapter_config.json of an Image-LoRA, or conditions.json of a LoRA. A key of value `null` counts as absent.
struct AdapterDocument {
  let path: String
  private let values: [ExactString: JSON]
  /// Largest document that is read, in bytes.
  private static let maximumBytes = 1 << 24
  static let again = "export the adapter again"

  /// The base's name, under PEFT's keys.
  struct Base: Encodable {
    let base_model_name_or_path, revision: String?
    init(_ base: ModelName?) { (base_model_name_or_path, revision) = (base?.name, base?.revision) }
  }

  /// What a folder states of its other files.
  struct Seals: Encodable {
    /// SHA-256 of the tensors' file.
    let tensors_sha256: String
    /// Of a LoRA: the digest of PEFT's adapter_config.json without the keys that have no effect.
    var config_digest: String?
    /// Of an Image-LoRA: SHA-256 of image_lora.py and of image_lora_pt.py.
    var code_sha256, pt_code_sha256: String?
  }

  /// - Throws: `FileError` for what is no object, has a key twice, or is not what was written.
  init(_ path: String) throws {
    self.path = path
    let bytes: [UInt8]
    do {
      bytes = [UInt8](try readFile(path, maximumBytes: Self.maximumBytes))
    } catch {
      throw FileError(path, error.problem, remedy: "give a folder of imagelora export or of PEFT", cause: error.cause)
    }
    func refuse(_ problem: String) -> FileError { Self.refusal(path, problem) }
    let document: JSON
    do {
      document = try JSON(parsing: bytes)
    } catch {
      throw refuse("not valid JSON: \(error)")
    }
    guard case .object(let members) = document else { throw refuse("expected an object, found \(document.kind)") }
    try DocumentDigest.check(document, file: path, again: Self.again)
    var values: [ExactString: JSON] = [:]
    for member in members where values.updateValue(member.value, forKey: ExactString(member.key)) != nil {
      throw refuse("\(member.key) is given twice")
    }
    self.values = values
  }

  private func refuse(_ problem: String) -> FileError { Self.refusal(path, problem) }

  private static func refusal(_ path: String, _ problem: String) -> FileError {
    FileError(path, "not an adapter's configuration: \(problem)")
  }

  private subscript(key: ExactString) -> JSON? {
    guard let value = values[key], value != .null else { return nil }
    return value
  }

  private func value<Value>(_ key: ExactString, _ kind: String, _ convert: (JSON) -> Value?) throws -> Value? {
    guard let json = self[key] else { return nil }
    guard let value = convert(json) else { throw refuse("\(key): expected \(kind), found \(json.shown)") }
    return value
  }

  /// The value, for a key that must be there.
  func required<Value>(_ key: ExactString, _ read: (ExactString) throws -> Value?) throws -> Value {
    guard let value = try read(key) else { throw refuse("has no \"\(key)\"") }
    return value
  }

  func text(_ key: ExactString) throws -> String? {
    try value(key, "a text") { if case .string(let text) = $0 { text } else { nil } }
  }

  func number(_ key: ExactString) throws -> Double? { try value(key, "a number", \.double) }

  /// A whole number may be written with a fraction of zero.
  func integer(_ key: ExactString) throws -> Int? { try value(key, "a whole number", Self.integer) }

  private static func integer(_ json: JSON) -> Int? {
    if case .integer(let value) = json { return value }
    return json.double.flatMap { Int(exactly: $0) }
  }

  /// Lists of whole numbers by name, as of heads by layer.
  func lists(_ key: ExactString) throws -> [(name: String, values: [Int])]? {
    try value(key, "lists of whole numbers by layer") { json in
      guard case .object(let members) = json else { return nil }
      let lists = members.compactMap { member -> (name: String, values: [Int])? in
        guard case .array(let elements) = member.value else { return nil }
        let values = elements.compactMap(Self.integer)
        return values.count == elements.count ? (member.key, values) : nil
      }
      return lists.count == members.count ? lists : nil
    }
  }

  /// One of an enumeration's values.
  func choice<Choice: RawRepresentable<String> & CaseIterable>(_ key: ExactString) throws -> Choice? {
    guard let text = try text(key) else { return nil }
    guard let choice = Choice.allCases.first(where: { $0.rawValue.hasSameBytes(as: text) }) else {
      throw refuse("\(key) \(quoted(text)) is not \(Choice.allCases.map(\.rawValue).joined(separator: " or "))")
    }
    return choice
  }

  /// What the adapter must be used with, as far as the document says.
  var provenance: AdapterProvenance {
    get throws {
      var provenance = AdapterProvenance(
        baseDigest: try text("base_digest"), templateDigest: try text("chat_template_digest"),
        minPixels: try integer("min_pixels"), maxPixels: try integer("max_pixels"),
        coordinates: try choice("coordinates"))
      provenance.templateVariables = try value("chat_template_variables", "an object of variables") {
        TemplateVariables($0)
      }
      provenance.baseFullDigest = try text("base_full_digest")
      provenance.transparency = try choice("transparency")
      provenance.exifOrientation = try choice("exif_orientation")
      return provenance.ofItsVersion
    }
  }

  /// Throws unless the adapter is an Image-LoRA of this version's form.
  func requireImageLoRA() throws {
    let type = try required("adapter_type", text)
    guard type.hasSameBytes(as: AdapterKind.imageLoRA.rawValue) else {
      throw FileError(path, "adapter_type \(quoted(type)) is not \(AdapterKind.imageLoRA.rawValue)")
    }
    let version = try integer("format_version") ?? AdapterFolder.formatVersion
    guard version == AdapterFolder.formatVersion else {
      throw FileError(
        path, "format_version \(version), this program reads \(AdapterFolder.formatVersion)",
        remedy: "use the program that exported it")
    }
  }

  /// The base's name, as far as the document says.
  var modelName: ModelName? {
    get throws { try text("base_model_name_or_path").map { ModelName(name: $0, revision: try text("revision")) } }
  }

  /// What checks the bytes of the tensors' file; nil where the document states no digest of them.
  func tensorsCheck(of file: String) throws -> ((_ sha256: String) throws -> Void)? {
    guard let stated = try text("tensors_sha256") else { return nil }
    return { [path] found in
      guard found.hasSameBytes(as: stated) else { throw Self.other(file, than: "tensors_sha256", of: path) }
    }
  }

  /// Whether a file of code is there with the SHA-256 that the document states under a key.
  /// - Throws: `FileError` where it has another.
  func codeIsVerified(_ file: String, key: ExactString) throws -> Bool {
    guard let stated = try text(key), FileManager.default.fileExists(atPath: file) else { return false }
    let bytes = [UInt8](try readFile(file, maximumBytes: Self.maximumBytes))
    guard SHA256.hex(bytes).hasSameBytes(as: stated) else { throw Self.other(file, than: "\(key)", of: path) }
    return true
  }

  /// Checks PEFT's adapter_config.json, if the document states a digest of it.
  func checkConfiguration(_ file: String) throws {
    guard let stated = try text("config_digest") else { return }
    let other = Self.other(file, than: "config_digest", of: path)
    guard let found = try? JSON(parsing: [UInt8](readFile(file, maximumBytes: Self.maximumBytes))),
      Self.digest(ofConfiguration: found).hasSameBytes(as: stated)
    else { throw other }
  }

  /// The digest of PEFT's adapter_config.json without the keys that have no effect: the name of the base, for one, is
  /// another where the base lies elsewhere.
  static func digest(ofConfiguration document: JSON) -> String {
    DocumentDigest.of(document, leavingOut: PEFTConfiguration.withoutEffect)
  }

  private static func other(_ file: String, than key: String, of document: String) -> FileError {
    let name = document.split(separator: "/").last ?? ""
    return FileError(
      file, "damaged, or not the file that was exported: its SHA-256 is not \(key) of \(name)",
      remedy: "fetch it or export the adapter again, or take \(key) and digest out of \(name) if the change is meant")
  }
}
