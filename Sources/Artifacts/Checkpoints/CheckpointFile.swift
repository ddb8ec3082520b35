// A checkpoint file opened to read: its contents are checked against each other and not against a model.
import Adapters
import Batches
import Files
import Foundation
import HDF5
import HuggingFace
import Preprocessing

/// An open checkpoint. Everything that it gives is finite, bounded and consistent. The caller checks whether it
/// fits a model.
package struct CheckpointFile: ~Copyable {
  package let path: String
  let file: File
  /// More than any model that can be opened has.
  static var maximumLayers: Int { 1024 }
  static var maximumHeads: Int { 1024 }
  static var maximumWidth: Int { 1 << 16 }
  static var maximumRank: Int { 1 << 12 }
  /// Steps of history that are read at most.
  private static var maximumSteps: Int { 1 << 24 }

  /// Opens a file of the schema of this version; `CheckpointFolder.verify` checks its bytes.
  /// - Throws: `HDF5Error`, or `FileError` for one of another schema or that is not complete.
  package init(_ path: String) throws {
    let file = try File.open(path)
    let version = try file.attribute("schema_version", as: Int64.self)
    guard version == TrainingState.schemaVersion else {
      throw FileError(
        path, "schema_version \(version) is not \(TrainingState.schemaVersion), the one that this version reads")
    }
    guard try file.attribute("complete", as: Int64.self) == 1 else {
      throw FileError(path, "it is not complete", remedy: "use an earlier checkpoint")
    }
    self.path = path
    self.file = file
  }

  func refuse(_ problem: String, remedy: String? = nil) -> FileError { FileError(path, problem, remedy: remedy) }

  func integer(_ name: String, of object: String = "/") throws -> Int {
    Int(try file.attribute(name, of: object, as: Int64.self))
  }

  private func counter(_ name: String) throws -> Int {
    let value = try integer(name)
    guard value >= 0 else { throw refuse("\(name) is \(value)", remedy: "use another checkpoint") }
    return value
  }

  /// Optimizer steps made.
  package func step() throws -> Int { try counter("step") }
  /// Epoch of the examples that the next step takes first, from 0.
  package func epoch() throws -> Int { try counter("epoch") }
  package func consumedExamples() throws -> Int { try counter("consumed_rows") }
  package func worldSize() throws -> Int { try counter("world_size") }
  /// Seed of the run.
  package func seed() throws -> UInt64 { UInt64(bitPattern: try file.attribute("seed", as: Int64.self)) }
  package func runDigest() throws -> String { try file.attribute("run_digest", as: String.self) }
  /// The resolved run, in YAML.
  package func runYAML() throws -> String { try file.read(String.self, from: "/run/yaml", shape: [])[0] }
  static let extensionsPath = "/run/extensions"

  /// How the run went on from checkpoints with other keys.
  package func extensions() throws -> [TrainingState.Extension] {
    guard try file.exists(Self.extensionsPath) else { return [] }
    let json = try file.read(String.self, from: Self.extensionsPath, shape: [])[0]
    guard let found = try? JSONDecoder().decode([TrainingState.Extension].self, from: Data(json.utf8)),
      zip(found, found.dropFirst()).allSatisfy({ $0.step <= $1.step }),
      let last = found.last, (0...(try step())).contains(last.step), found.allSatisfy({ $0.step >= 0 }),
      last.consumedExamples >= 0, last.consumedExamples <= (try consumedExamples())
    else { throw refuse("\(Self.extensionsPath) is no list of changes up to its step") }
    return found
  }

  /// How the heads were chosen, as `influence/rank1`.
  package func selectionMethod() throws -> String {
    try file.read(String.self, from: "/influence/estimator", shape: [])[0]
  }
  private func selectionJSON() throws -> String {
    try file.read(String.self, from: "/influence/selection", shape: [])[0]
  }

  /// The selected heads and their scores, for the shape of model that the document itself states.
  package func selection() throws -> HeadSelection { try HeadSelection(json: selectionJSON(), file: path) }

  /// The selected heads and their scores, for a model of the stated shape.
  func selection(for text: TextConfiguration) throws -> HeadSelection {
    let selection = try selection()
    let fits = ValueHeads.allCases.contains { $0.capacity(text) == selection.capacity }
    guard fits else { throw refuse("its selection is of other heads (hkv) than the model has") }
    return selection
  }

  /// The best validation, nil before the first one.
  package func best() throws -> TrainingState.Validated? {
    guard try file.hasAttribute("best_step") else { return nil }
    return TrainingState.Validated(
      step: try counter("best_step"), loss: try file.attribute("best_validation_loss", as: Double.self),
      score: try score("best_score"))
  }

  /// The validation before the first step, nil before 0.3.0.
  package func start() throws -> TrainingState.Validated? {
    guard try file.hasAttribute("start_validation_loss") else { return nil }
    return TrainingState.Validated(
      step: 0, loss: try file.attribute("start_validation_loss", as: Double.self), score: try score("start_score"))
  }

  private func score(_ name: String) throws -> TrainingState.Score? {
    guard try file.hasAttribute(name) else { return nil }
    return TrainingState.Score(
      name: try file.attribute("best_by", as: String.self), value: try file.attribute(name, as: Double.self))
  }

  /// Whether the run was stopped before the validation of its last step.
  func validationDue() throws -> Bool { try file.hasAttribute("validation_due") }

  /// Digest of the bytes of the training examples' images; nil before 0.3.0.
  func imagesDigest() throws -> String? {
    try file.hasAttribute("images_digest") ? file.attribute("images_digest", as: String.self) : nil
  }

  /// What the adapter must be used with.
  package func provenance() throws -> AdapterProvenance {
    var provenance = AdapterProvenance(
      baseDigest: try file.attribute("base_digest", as: String.self),
      templateDigest: try file.attribute("chat_template_digest", of: "/adapter", as: String.self),
      minPixels: try integer("min_pixels", of: "/adapter"), maxPixels: try integer("max_pixels", of: "/adapter"),
      coordinates: try choice("coordinates"))
    let variables = "chat_template_variables"
    if try file.hasAttribute(variables, of: "/adapter") {
      let text = try file.attribute(variables, of: "/adapter", as: String.self)
      guard let json = try? JSON(parsing: Array(text.utf8)), let found = TemplateVariables(json) else {
        throw refuse("\(variables) \(quoted(text)) is no object of variables")
      }
      provenance.templateVariables = found
    }
    if try file.hasAttribute("base_full_digest") {
      provenance.baseFullDigest = try file.attribute("base_full_digest", as: String.self)
    }
    provenance.transparency = try choice("transparency")
    provenance.exifOrientation = try choice("exif_orientation")
    return provenance.ofItsVersion
  }

  /// One of an enumeration's values, nil where the file does not state it.
  private func choice<Choice: RawRepresentable<String>>(_ name: String) throws -> Choice? {
    guard try file.hasAttribute(name, of: "/adapter") else { return nil }
    let value = try file.attribute(name, of: "/adapter", as: String.self)
    guard let choice = Choice(rawValue: value) else { throw refuse("\(name) \(quoted(value)) is unknown") }
    return choice
  }

  /// The adapter's options and layout, for the base that it was trained on.
  /// - Parameters: shape, provenance and folder of the base in use.
  /// - Throws: `HDF5Error`, or `FileError` for an adapter of another base or shape.
  func adapter(
    for text: TextConfiguration, _ vision: VisionConfiguration?, _ used: AdapterProvenance, folder: String
  ) throws -> (configuration: AdapterConfiguration, layout: AdapterLayout) {
    try provenance().requireMatch(used, of: [.base], folder: folder, file: path)
    let (configuration, layout) = try adapter()
    guard configuration.fits(text, vision, layout: layout) else {
      throw refuse("its adapter's layers, heads or widths do not fit \(folder)")
    }
    return (configuration, layout)
  }

  /// The same for an open base.
  package func adapter(for base: BaseModel) throws -> (configuration: AdapterConfiguration, layout: AdapterLayout) {
    try adapter(
      for: base.configuration.text, base.configuration.vision, AdapterProvenance(of: base), folder: base.folder)
  }

  /// All trainable parameters, in the layout's order.
  package func parameters(layout: AdapterLayout) throws -> [Float] { try values("/adapter", layout: layout) }

  /// The optimizer's step and moments, in the layout's order.
  package func optimizer(layout: AdapterLayout) throws -> OptimizerState {
    var state = OptimizerState(count: 0)
    state.step = try integer("step", of: "/optimizer")
    state.expAvg = try values("/optimizer/exp_avg", layout: layout)
    state.expAvgSq = try values("/optimizer/exp_avg_sq", layout: layout)
    // Checkpoints of versions before 0.3.0 have none: the next step begins as the first one does.
    let exponents = "/optimizer/gradient_exponents"
    if try file.exists(exponents) {
      state.gradientExponents = try file.read(Int32.self, from: exponents, shape: [layout.tensors.count]).map(Int.init)
      guard state.gradientExponents.allSatisfy((-100...200).contains) else { throw refuse("values of \(exponents)") }
    }
    return state
  }

  /// The values of a group, `/adapter` or one of `/optimizer`'s, in the layout's order.
  private func values(_ group: String, layout: AdapterLayout) throws -> [Float] {
    var values: [Float] = []
    for tensor in layout.tensors {
      values += try file.read(
        Float.self, from: "\(group)/\(tensor.name)", shape: tensor.shape.isEmpty ? [1] : tensor.shape)
    }
    guard values.allSatisfy(\.isFinite) else { throw refuse("a value of \(group) is not finite") }
    return values
  }

  /// The run's history, one entry per step.
  package func metrics() throws -> [TrainingState.StepMetrics] {
    let steps = try file.read(Int64.self, from: "/metrics/step", maximumCount: Self.maximumSteps).values
    let losses = try file.read(Double.self, from: "/metrics/loss", shape: [steps.count])
    let rates = try file.read(Double.self, from: "/metrics/learning_rate", shape: [steps.count])
    let norms = try file.read(Double.self, from: "/metrics/gradient_norm", shape: [steps.count])
    let tokens = try file.read(Int64.self, from: "/metrics/tokens", shape: [steps.count])
    return steps.indices.map {
      TrainingState.StepMetrics(
        step: Int(steps[$0]), loss: losses[$0], learningRate: rates[$0], gradientNorm: norms[$0],
        tokens: Int(tokens[$0]))
    }
  }
}
