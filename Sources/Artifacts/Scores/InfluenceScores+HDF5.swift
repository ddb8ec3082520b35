// Scores files: the schema in docs/formats.md, sealed, checked when read, written whole or not at all.
import Adapters
import Digests
import Files
import HDF5

extension InfluenceScores {
  /// Largest file that is read: examples times heads, for a bound on memory.
  private static var maximumNumbers: Int { 1 << 28 }
  /// KV heads of each layer, and value heads of linear attention, where layers differ.
  private static var capacityPaths: (kv: String, value: String) { ("/layers/kv_heads", "/layers/value_heads") }
  /// Absent before 0.3.0.
  private static var fisherPath: String { "/rows/weight_gradient_norm2" }
  /// Of probes that leave out the lower layers.
  private static var fromLayerName: String { "from_layer" }
  /// More layers, and heads of a layer, than any model that can be opened has.
  private static var maximumExtent: Int { 1024 }

  /// Writes the file under a temporary name, seals and renames it.
  /// - Throws: `HDF5Error` or `FileError`.
  package func write(to path: String) throws {
    try File.replace(path, sealed: { try Seal.append(to: $0) }) { file in
      try file.setAttribute("schema_version", to: Int64(Self.schemaVersion))
      try file.setAttribute("estimator_seed", to: Int64(bitPattern: seed))
      try file.setAttribute("base_digest", to: baseDigest)
      try file.setAttribute("data_digest", to: dataDigest)
      try file.setAttribute("rows", to: Int64(examples.count))
      try file.setAttribute("shard", to: shard.description)
      if fromLayer > 0 { try file.setAttribute(Self.fromLayerName, to: Int64(fromLayer)) }
      for estimator in estimators {
        try file.write(
          sums(estimator, examples: examples.indices), shape: [layers, kvHeads], to: "/scores/\(estimator.rawValue)",
          filters: [.fletcher32])
      }
      if capacity.contains(where: { $0 != kvHeads }) || !linearLayers.isEmpty {
        for (path, isLinear) in [(Self.capacityPaths.kv, false), (Self.capacityPaths.value, true)] {
          let heads = capacity.enumerated().map { linearLayers.contains($0) == isLinear ? Int32($1) : 0 }
          try file.write(heads, shape: [layers], to: path, filters: [.fletcher32])
        }
      }
      let shape = [examples.count, layers, kvHeads]
      try file.write(examples.map(\.id), shape: [examples.count], to: "/rows/id", filters: [.fletcher32])
      try file.write(
        examples.flatMap(\.rank1Norm2), shape: shape, to: "/rows/rank1_norm2", filters: [.fletcher32, .deflate(4)])
      try file.write(
        examples.flatMap(\.gateGradient), shape: shape, to: "/rows/gate_gradient", filters: [.fletcher32, .deflate(4)])
      if estimators.contains(.fisher) {
        try file.write(
          examples.flatMap { $0.weightGradientNorm2 ?? [] }, shape: shape, to: Self.fisherPath,
          filters: [.fletcher32, .deflate(4)])
      }
    }
  }

  /// Reads and checks a file; nothing of it is parsed before its seal holds.
  /// - Parameter notice: takes a line about a file without a seal, as versions before 0.3.0 wrote.
  /// - Throws: `HDF5Error` or `FileError`.
  package init(reading path: String, notice: (String) -> Void = { _ in }) throws {
    func refuse(_ problem: String) -> FileError { FileError(path, problem, remedy: "probe again") }
    let seal = try Seal.check(path)
    if case .broken = seal {
      throw FileError(
        path, "damaged: its bytes are not those that were sealed", remedy: "bring back a valid copy, or probe again")
    }
    let file = try File.open(path)
    let version = try file.attribute("schema_version", as: Int64.self)
    guard version == Self.schemaVersion else {
      throw refuse("schema_version \(version) is not \(Self.schemaVersion), the one that this version reads")
    }
    let (ids, _) = try file.read(String.self, from: "/rows/id", maximumCount: Self.maximumNumbers)
    let (norms, shape) = try file.read(Double.self, from: "/rows/rank1_norm2", maximumCount: Self.maximumNumbers)
    guard !ids.isEmpty, Int64(ids.count) == (try file.attribute("rows", as: Int64.self)) else {
      throw refuse("rows/id has \(ids.count) examples, not as many as the attribute rows, at least one")
    }
    guard shape.count == 3, shape[0] == ids.count,
      shape.dropFirst().allSatisfy({ (1...Self.maximumExtent).contains($0) })
    else { throw refuse("rows/rank1_norm2 has shape \(shape) for \(ids.count) examples") }
    let gates = try file.read(Double.self, from: "/rows/gate_gradient", shape: shape)
    let weights = try file.exists(Self.fisherPath) ? file.read(Double.self, from: Self.fisherPath, shape: shape) : nil
    guard (norms + (weights ?? [])).allSatisfy({ $0.isFinite && $0 >= 0 }), gates.allSatisfy(\.isFinite) else {
      throw refuse("a score is negative or not finite")
    }
    guard Set(ids.map { ExactString($0) }).count == ids.count else { throw refuse("an example appears twice") }
    let text = try file.attribute("shard", as: String.self)
    guard let shard = Shard(text) else { throw refuse("shard \(text) is not i/n with 0 <= i < n") }
    let numbers = shape[1] * shape[2]
    func heads(_ path: String) throws -> [Int]? {
      guard try file.exists(path) else { return nil }
      let found = try file.read(Int32.self, from: path, shape: [shape[1]]).map(Int.init)
      guard found.allSatisfy({ (0...shape[2]).contains($0) }) else {
        throw refuse("\(path.dropFirst()) has numbers beyond \(shape[2])")
      }
      return found
    }
    let stated = (kv: try heads(Self.capacityPaths.kv), value: try heads(Self.capacityPaths.value))
    func every(_ count: Int) -> [Int] { Array(repeating: count, count: shape[1]) }
    // A file that states neither has as many KV heads in every layer.
    let kv = stated.kv ?? every(stated.value == nil ? shape[2] : 0)
    let linear = stated.value ?? every(0)
    let capacity = zip(kv, linear).map(+)
    guard capacity.max() == shape[2], !zip(kv, linear).contains(where: { $0 > 0 && $1 > 0 }) else {
      throw refuse("layers/ has a layer with heads of both kinds, or none with \(shape[2]) heads")
    }
    let first =
      try file.hasAttribute(Self.fromLayerName) ? file.attribute(Self.fromLayerName, as: Int64.self) : 0
    guard (0..<Int64(shape[1])).contains(first) else {
      throw refuse("from_layer \(first) is not one of \(shape[1]) layers")
    }
    guard capacity.dropFirst(Int(first)).contains(where: { $0 > 0 }) else {
      throw refuse("from_layer is \(first), and no layer from there on has heads")
    }
    let below = Int(first) * shape[2]
    func saysNothing(_ terms: [Double]) -> Bool {
      ids.indices.allSatisfy { terms[$0 * numbers..<$0 * numbers + below].allSatisfy { $0 == 0 } }
    }
    guard saysNothing(norms), saysNothing(gates), saysNothing(weights ?? gates) else {
      throw refuse("from_layer is \(first), and a layer below has scores")
    }
    self.init(
      layers: shape[1], kvHeads: shape[2], capacity: capacity,
      linearLayers: linear.indices.filter { linear[$0] > 0 }, fromLayer: Int(first),
      seed: UInt64(bitPattern: try file.attribute("estimator_seed", as: Int64.self)),
      baseDigest: try file.attribute("base_digest", as: String.self),
      dataDigest: try file.attribute("data_digest", as: String.self), shard: shard,
      examples: ids.indices.map { index in
        ExampleInfluence(
          id: ids[index], rank1Norm2: Array(norms[index * numbers..<(index + 1) * numbers]),
          gateGradient: Array(gates[index * numbers..<(index + 1) * numbers]),
          weightGradientNorm2: weights.map { Array($0[index * numbers..<(index + 1) * numbers]) })
      })
    for estimator in estimators {
      let sums = try file.read(Double.self, from: "/scores/\(estimator.rawValue)", shape: [layers, kvHeads])
      guard sums == self.sums(estimator, examples: examples.indices), sums.reduce(0, +).isFinite else {
        throw refuse("scores/\(estimator.rawValue) is not the finite sum of its examples")
      }
    }
    if case .missing = seal {
      notice(
        "\(path): has no seal, as files of versions before 0.3.0, so damage may go unnoticed; imagelora scores merge "
          + "writes it again with one")
    }
  }
}
