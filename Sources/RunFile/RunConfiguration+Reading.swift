// Reads a run: the file, the overrides set into it, then every key with its type, range and default.
import Adapters
import Foundation
import QwenVL

extension RunConfiguration {
  /// Longest run file, in bytes.
  static let maxFileBytes = 64 << 10

  /// Reads a run file (YAML or JSON) with `key.path=value` overrides, whose values are YAML; `null` takes a key back.
  /// Relative paths start in the file's folder, those of overrides in the working directory.
  /// - Parameter notice: takes a line for each key that now has another name.
  package init(
    path: String, overrides: [String] = [], notice: (String) -> Void = { _ in }
  ) throws(RunFileError) {
    try self.init(text: Self.text(of: path), path: path, overrides: overrides, notice: notice)
  }

  /// Reads a run file's text as if it lay at `path`, as the run that a checkpoint holds.
  package init(
    text: String, path: String, overrides: [String] = [], notice: (String) -> Void = { _ in }
  ) throws(RunFileError) {
    var tree = try Tree(yaml: text, whole: path) { "\(path):\($0):\($1)" }
    let file = tree
    for override in overrides { try Self.set(override, in: &tree) }
    Self.leaveOut(file, of: &tree, notice: notice)
    try tree.renameKeys(notice: notice)
    try KnownKeys().check(tree)
    self.init(defaultsOf: path)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    var reader = Reader(file: path, folder: folder, tree: tree)
    try visit(&reader)
    if adapter.kind == .lora { adapter.targets = adapter.targets ?? .usual }
    try checkTogether(tree)
  }

  private static func text(of path: String) throws(RunFileError) -> String {
    let bytes: Foundation.Data
    do {
      let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
      let values = try url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
      guard values.isRegularFile == true, values.fileSize ?? 0 <= maxFileBytes else {
        throw CocoaError(.fileReadTooLarge)
      }
      bytes = try Foundation.Data(contentsOf: url)
    } catch CocoaError.fileReadTooLarge {
      throw .unreadable(file: path, reason: "a run file is a regular file of at most \(maxFileBytes) bytes")
    } catch {
      let reason = FileManager.default.fileExists(atPath: path) ? error.localizedDescription : "there is no such file"
      throw .unreadable(file: path, reason: reason)
    }
    let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes
    guard let text = String(validating: text, as: UTF8.self) else {
      throw .unreadable(file: path, reason: "it is not text in UTF-8")
    }
    return text
  }

  private static func set(_ override: String, in tree: inout Tree) throws(RunFileError) {
    guard let equals = override.firstIndex(of: "=") else {
      throw .override(text: plain(override), problem: "write it as key.path=value")
    }
    let place = "--set \(plain(override))"
    let key = override[..<equals].split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    guard (1...4).contains(key.count), !key.contains("") else {
      throw .override(text: plain(override), problem: "a key is names joined by dots, as training.steps")
    }
    let text = String(override[override.index(after: equals)...])
    guard text.utf8.count <= maxFileBytes else {
      throw .override(text: plain(override), problem: "the value is longer than \(maxFileBytes) bytes")
    }
    let value = try Tree(yaml: text, whole: place) { _, _ in place }
      .paths(from: FileManager.default.currentDirectoryPath)
    guard tree.set(key[...], to: value) else {
      throw .override(text: plain(override), problem: "a name before the last is no section of the run file")
    }
  }

  /// Keys that one kind of adapter has.
  private static let keysOfKinds: [(key: String, kind: AdapterKind)] =
    ["normalization", "gamma", "value_heads", "heads"].map { ("adapter.\($0)", .imageLoRA) }
    + ["targets", "layers", "rank_pattern", "alpha_pattern", "rslora", "dropout"].map { ("adapter.\($0)", .lora) }

  /// Where an override gives another kind of adapter than the file, what the file says of its kind alone falls away.
  private static func leaveOut(_ file: Tree, of tree: inout Tree, notice: (String) -> Void) {
    func kind(_ tree: Tree) -> AdapterKind? {
      guard let adapter = tree.entries?.first(where: { $0.key == "adapter" })?.value,
        case .scalar(let scalar)? = adapter.entries?.first(where: { $0.key == "kind" })?.value.content
      else { return .imageLoRA }
      return scalar.isNull ? .imageLoRA : AdapterKind(scalar, folder: "")
    }
    guard let old = kind(file), let new = kind(tree), old != new else { return }
    for (key, kind) in keysOfKinds where kind == old {
      let path = key.split(separator: ".").map(String.init)
      // What the overrides say themselves stays, and is refused.
      guard file.gives(path), tree.value(of: path) == file.value(of: path) else { continue }
      notice("note: \(key) is left out: with adapter.kind \(new.rawValue) it has no meaning")
      _ = tree.set(
        path[...], to: Tree(place: tree.place(of: path), content: .scalar(Scalar(text: "null", quoted: false))))
    }
  }

  /// The rules that concern more than one key.
  private func checkTogether(_ tree: Tree) throws(RunFileError) {
    func conflict(_ keys: [String], _ problem: String) -> RunFileError {
      let places = keys.map { tree.place(of: $0.split(separator: ".").map(String.init)) }
      return .conflict(place: places.last ?? path, keys: keys, problem: problem)
    }
    if (training.epochs == nil) == (training.steps == nil) {
      throw conflict(
        ["training.epochs", "training.steps"],
        "\(training.steps == nil ? "neither" : "each") is given; give exactly one of them")
    }
    if let least = model.minPixels, let most = model.maxPixels, least > most {
      throw conflict(["model.min_pixels", "model.max_pixels"], "\(least) is more than \(most)")
    }
    if model.featureCacheGiB != nil, model.featureCache == nil {
      throw conflict(
        ["model.feature_cache", "model.feature_cache_gib"], "without the former the latter has no effect; remove it")
    }
    if let minimum = training.minLearningRate, let peak = training.learningRate, minimum > peak {
      throw conflict(
        ["training.learning_rate", "training.min_learning_rate"],
        "the latter, \(minimum), is more than \(peak)")
    }
    for (key, kind) in Self.keysOfKinds
    where adapter.kind != kind && tree.gives(key.split(separator: ".").map(String.init)) {
      throw conflict(
        ["adapter.kind", key], "with kind: \(adapter.kind.rawValue) the latter has no meaning; remove it")
    }
    if let fraction = data.validationFraction, data.validation != nil {
      throw conflict(
        ["data.validation", "data.validation_fraction"],
        "both name validation examples, the latter \(fraction) of data.train; keep one")
    }
    if data.validationSeed != nil, data.validationFraction == nil {
      throw conflict(
        ["data.validation_fraction", "data.validation_seed"], "without the former the latter has no effect; remove it")
    }
    if data.validation?.files.contains(where: { $0.weight != 1 }) == true {
      throw conflict(["data.validation"], "validation takes each example once; take the weight out")
    }
    for (key, isGiven) in [("patience", training.patience != nil), ("best_by", training.bestBy != .loss)]
    where isGiven && data.validation == nil && data.validationFraction == nil {
      throw conflict(
        ["data.validation", "training.\(key)"],
        "the latter needs validation examples; name them, or set data.validation_fraction")
    }
    // It is saved beside the checkpoints and read again.
    guard yaml.utf8.count <= Self.maxFileBytes else {
      throw .unreadable(
        file: path, reason: "with absolute paths it has more than \(Self.maxFileBytes) bytes; name fewer files")
    }
    let heads = adapter.heads
    if heads.select == .file, heads.fromLayer != nil {
      throw conflict(
        ["adapter.heads.select", "adapter.heads.from_layer"], "a selection file names its layers; remove the latter")
    }
    for (key, selection, given) in [
      ("adapter.heads.per_layer", SelectionMethod.perLayer, heads.perLayer != nil),
      ("adapter.heads.file", .file, heads.file != nil),
    ] where given != (heads.select == selection) {
      let useless = "with select: \(heads.select.rawValue) the latter has no effect; remove it"
      let needed = "select: \(selection.rawValue) needs the latter"
      throw conflict(["adapter.heads.select", key], given ? useless : needed)
    }
  }
}
