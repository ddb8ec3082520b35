// Selection files: the keys of the method and of the authors' scripts, and a digest over them.
import Adapters
import Digests
import Files
import Foundation
import HuggingFace

extension HeadSelection {
  private struct Document: Codable {
    var method: String?
    var num_heads: Int?
    var tau: Double?
    var layer_budgets_kv: [String: Int]?
    var kv_indices: [String: [Int]]
    var scores: [String: [Double]]?
    var hkv: [String: Int]?
    var linear_layers: [Int]?
  }

  private var document: Document {
    func byLayer<T>(_ values: [T]) -> [String: T] {
      Dictionary(uniqueKeysWithValues: values.enumerated().map { ("\($0)", $1) })
    }
    return Document(
      method: method, num_heads: numHeads, tau: tau, layer_budgets_kv: byLayer(kvIndices.map(\.count)),
      kv_indices: byLayer(kvIndices), scores: scores.isEmpty ? nil : byLayer(scores), hkv: byLayer(capacity),
      linear_layers: linearLayers.isEmpty ? nil : linearLayers)
  }

  /// The document, keys sorted, heads of every layer listed.
  package func json() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    return String(decoding: try encoder.encode(document), as: UTF8.self)
  }

  /// Writes the document with its digest, whole or not at all.
  /// - Throws: `FileError` with the system's message.
  package func write(to path: String) throws { try writeAtomically(DocumentDigest.encode(document), to: path) }

  private static var remedy: String { "select heads for this model" }
  /// Largest file that is read, in bytes.
  private static var maximumBytes: Int { 1 << 26 }

  /// Reads a file for a model's heads of a kind; layers that it leaves out get no adapter.
  /// - Throws: `FileError`, also for layers or heads that the model does not have, and for heads of another kind.
  package init(reading path: String, of text: TextConfiguration, _ kind: ValueHeads = .attention) throws {
    let data = try readFile(path, maximumBytes: Self.maximumBytes)
    let capacity = kind.capacity(text)
    let linearLayers = text.linearLayers(in: capacity)
    try self.init(
      json: String(decoding: data, as: UTF8.self), file: path, capacity: capacity, linearLayers: linearLayers)
  }

  /// Parses a document that states its model's shape itself: `hkv` lists every layer.
  /// - Throws: `FileError`, also for a shape that no model has.
  package init(json: String, file: String) throws {
    let shape = (try? JSONDecoder().decode(Document.self, from: Data(json.utf8)))?.hkv ?? [:]
    let capacity = (0..<shape.count).map { shape["\($0)"] ?? -1 }
    guard (1...1024).contains(capacity.count), capacity.allSatisfy({ (0...1024).contains($0) }),
      capacity.contains(where: { $0 > 0 })
    else {
      throw FileError(
        file, "not a selection that lists the heads (hkv) of every layer", remedy: Self.remedy)
    }
    try self.init(json: json, file: file, capacity: capacity)
  }

  /// Parses a document for a model with so many heads in each layer; layers that it leaves out get no adapter.
  /// - Parameter linearLayers: the layers with value heads of linear attention; nil: as the document says.
  /// - Throws: `FileError` for broken JSON and for layers or heads that the model does not have.
  package init(json: String, file: String, capacity: [Int], linearLayers: [Int]? = nil) throws {
    let layers = capacity.count
    func refuse(_ problem: String) -> FileError { FileError(file, problem, remedy: Self.remedy) }
    let document: Document
    do {
      try DocumentDigest.check(JSON(parsing: Array(json.utf8)), file: file, again: Self.remedy)
    } catch let error as JSONSyntaxError {
      throw refuse("not a selection: not valid JSON: \(error)")
    }
    do {
      document = try JSONDecoder().decode(Document.self, from: Data(json.utf8))
    } catch {
      throw refuse("not a selection: \(jsonProblem(error, in: Data(json.utf8)))")
    }
    func layer(_ name: String) throws -> Int {
      guard let layer = Int(name), "\(layer)" == name, (0..<layers).contains(layer) else {
        throw refuse("layer \(name) is not one of the model's \(layers) layers")
      }
      return layer
    }
    for (name, heads) in document.hkv ?? [:] {
      let layer = try layer(name)
      guard heads == capacity[layer] else {
        throw refuse("hkv of layer \(layer) is \(heads), the model has \(capacity[layer]) heads there")
      }
    }
    var indices = Array(repeating: [Int](), count: layers)
    for (name, heads) in document.kv_indices {
      let layer = try layer(name)
      guard heads.allSatisfy({ (0..<capacity[layer]).contains($0) }), Set(heads).count == heads.count else {
        throw refuse("layer \(layer) selects heads \(heads) of \(capacity[layer])")
      }
      indices[layer] = heads.sorted()
    }
    let selected = indices.reduce(0) { $0 + $1.count }
    guard selected > 0 else { throw refuse("no head is selected") }
    var scores: [[Double]] = []
    if let given = document.scores {
      scores = try (0..<layers).map { layer in
        guard let row = given["\(layer)"], row.count == capacity[layer] else {
          throw refuse("scores of layer \(layer) are not \(capacity[layer]) numbers")
        }
        return row
      }
    }
    let linear = document.linear_layers ?? []
    guard linear == Set(linear).sorted(), linear.allSatisfy({ capacity.indices.contains($0) && capacity[$0] > 0 })
    else {
      throw refuse("linear_layers \(linear) are not ascending layers with heads")
    }
    self.init(
      method: document.method ?? "file", numHeads: document.num_heads ?? selected, tau: document.tau ?? 0,
      kvIndices: indices, scores: scores, capacity: capacity)
    // The authors' scripts write `kv_indices` alone.
    let isStated = document.hkv != nil || document.linear_layers != nil
    if isStated, let linearLayers, linear != linearLayers {
      throw refuse("linear_layers are \(linear), with this run's adapter.value_heads they are \(linearLayers)")
    }
    self.linearLayers = linearLayers ?? linear
  }
}

extension HeadSelection: Encodable {
  package func encode(to encoder: any Encoder) throws { try document.encode(to: encoder) }
}
