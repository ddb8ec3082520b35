// Qwen3.5 stage by stage: each stage of a frozen forward pass from the reference's own input of it, so that an error
// shows where it is made.
import HDF5
import HuggingFace
import Tensors
import Testing

@testable import Layers
@testable import QwenVL

@Suite("Every stage of a forward pass agrees with transformers")
struct TraceTests {
  /// The stages of the first example of Resources/qwen3.5-{a,b}; inside of the last layer of either kind.
  @Test(
    "vision, embeddings, layers, the inside of linear and full attention: within 1e-4 of the tensor's largest value",
    arguments: ["qwen3.5-a", "qwen3.5-b"])
  func stages(preset: String) throws {
    let fixture = try Fixture(preset)
    let trace = try Trace(fixture)
    let model = try QwenVLModel<Float>(
      configuration: ModelConfiguration(folder: fixture.model), checkpoint: Checkpoint(folder: fixture.model))
    try compareEnds(model, trace)
    let text = model.configuration.text
    for index in 0..<text.layers { try compareLayer(model.decoder.layers[index], trace) }
    try compareLinear(model.decoder.layers[try #require((0..<text.layers).last(where: text.isLinear))], trace)
    try compareAttention(model.decoder.layers[try #require(text.attentionLayers.last)], trace)
    #expect(trace.unread.isEmpty, "stages that nothing was compared with")
  }

  private func compareEnds(_ model: QwenVLModel<Float>, _ trace: Trace) throws {
    let visual = try #require(trace.visual)
    let features = model.vision.forward(patches: trace.pixels, grid: trace.grid)
    try trace.compare(features, "vision")
    let span = VisualSpan(tokens: visual, features: features)
    try trace.compare(model.embed(trace.inputIDs, visual: [span]), "embeddings")
    try trace.compare(model.decoder.norm.forward(trace.input(of: model.decoder.layers.count)), "final")
  }

  private func compareLayer(_ layer: DecoderLayer<Float>, _ trace: Trace) throws {
    let x = try trace.input(of: layer.index)
    let tokens = try trace.tokens(x, layer)
    let (y, _) = layer.forward(x, tokens: tokens, queries: tokens.queries, adapter: nil)
    try trace.compare(y, "hidden.\(layer.index)")
  }

  private func compareLinear(_ layer: DecoderLayer<Float>, _ trace: Trace) throws {
    guard case .deltaNet(let mixer) = layer.mixer else { return #expect(Bool(false)) }
    let prefix = "linear.\(layer.index)"
    let x = try trace.matrix("\(prefix).x")
    try trace.compare(layer.inputNorm.forward(trace.input(of: layer.index)), "\(prefix).x")
    try trace.compare(mixer.inputProjection.forward(x), "\(prefix).qkv")
    try trace.compare(mixer.gateProjection.forward(x), "\(prefix).z")
    try trace.compare(mixer.strengthProjection.forward(x), "\(prefix).b")
    try trace.compare(mixer.decayProjection.forward(x), "\(prefix).a")
    let rule = mixer.rule
    let projected = try trace.matrix("\(prefix).qkv")
    let mixed = mixer.convolution.forward(projected, after: Matrix(zeros: mixer.convolution.context, rule.columns))
    try trace.compare(mixed.columns(0..<rule.keyColumns), "\(prefix).query")
    try trace.compare(mixed.columns(rule.keyColumns..<2 * rule.keyColumns), "\(prefix).key")
    try trace.compare(mixed.columns(2 * rule.keyColumns..<rule.columns), "\(prefix).value")
    let (g, beta) = mixer.gates.forward(a: try trace.matrix("\(prefix).a"), b: try trace.matrix("\(prefix).b"))
    try trace.compare(g, "\(prefix).g")
    try trace.compare(beta, "\(prefix).beta")
    let read = Matrix<Float>(uninitialized: x.rows, rule.valueColumns)
    _ = rule.forward(mixed, g: g, beta: beta, state: rule.emptyState, into: read)
    try trace.compare(read, "\(prefix).core")
    let core = Matrix(try trace.values("\(prefix).core"), rows: x.rows, columns: rule.valueColumns)
    try trace.compare(mixer.norm.forward(core, gate: try trace.matrix("\(prefix).z")), "\(prefix).norm")
    let normed = Matrix(try trace.values("\(prefix).norm"), rows: x.rows, columns: rule.valueColumns)
    try trace.compare(mixer.outputProjection.forward(normed), "\(prefix).out")
  }

  private func compareAttention(_ layer: DecoderLayer<Float>, _ trace: Trace) throws {
    guard case .attention(let mixer) = layer.mixer, let norms = mixer.headNorms else { return #expect(Bool(false)) }
    let prefix = "attention.\(layer.index)"
    let x = try trace.matrix("\(prefix).x")
    try trace.compare(layer.inputNorm.forward(trace.input(of: layer.index)), "\(prefix).x")
    let projected = mixer.queryProjection.forward(x)
    try trace.compare(projected, "\(prefix).q_proj")
    let keys = mixer.keyProjection.forward(x)
    try trace.compare(keys, "\(prefix).k_proj")
    try trace.compare(mixer.valueProjection.forward(x), "\(prefix).v_proj")
    let (queries, gates) = OutputGate.split(projected, headDimension: mixer.attention.headDimension)
    try trace.compare(norms.query.forward(queries), "\(prefix).q_norm")
    try trace.compare(norms.key.forward(keys), "\(prefix).k_norm")
    let tokens = try trace.tokens(x, layer)
    let (out, activations) = mixer.forward(x, tokens: tokens, queries: tokens.queries, nil, layer: layer.index)
    try trace.compare(OutputGate.forward(activations.attended.rows(0..<x.rows), gate: gates), "\(prefix).gated")
    try trace.compare(out, "\(prefix).out")
  }
}

/// The reference's stages of its first example.
private final class Trace {
  let inputIDs: [Int32]
  let visual: Range<Int>?
  let pixels: Matrix<Float>
  let grid: GridTHW
  private let positions: [[Int32]]
  private let configuration: ModelConfiguration
  private let file: String
  private let group: String
  private(set) var unread: Set<String>

  init(_ fixture: Fixture) throws {
    file = fixture.file("parity.h5")
    configuration = try ModelConfiguration(folder: fixture.model)
    let reference = try File.open(file)
    let row = try #require(try reference.children(of: "/").first { try reference.exists("/\($0)/trace") })
    group = "/\(row)/trace"
    unread = Set(try reference.children(of: group))
    func integers(_ name: String) throws -> [Int32] {
      try reference.read(Int32.self, from: "/\(row)/\(name)", maximumCount: 1 << 16).values
    }
    inputIDs = try integers("input_ids")
    let mask = try reference.read(UInt8.self, from: "/\(row)/visual_mask", maximumCount: 1 << 16).values
    visual = mask.firstIndex(of: 1).map { $0..<(mask.lastIndex(of: 1) ?? $0) + 1 }
    let flat = try integers("position_ids")
    let count = inputIDs.count
    positions = (0..<3).map { Array(flat[$0 * count..<($0 + 1) * count]) }
    let (values, shape) = try reference.read(Float.self, from: "/\(row)/pixel_values", maximumCount: 1 << 24)
    pixels = Matrix(values, rows: shape[0], columns: shape[1])
    let sides = try integers("image_grid_thw").map(Int.init)
    grid = GridTHW(t: sides[0], h: sides[1], w: sides[2])
  }

  func values(_ name: String) throws -> [Float] {
    try File.open(file).read(Float.self, from: "\(group)/\(name)", maximumCount: 1 << 24).values
  }

  /// A stage with a row a token.
  func matrix(_ name: String) throws -> Matrix<Float> {
    let values = try values(name)
    return Matrix(values, rows: inputIDs.count, columns: values.count / inputIDs.count)
  }

  /// The residual stream before a layer.
  func input(of layer: Int) throws -> Matrix<Float> { try matrix(layer == 0 ? "embeddings" : "hidden.\(layer - 1)") }

  /// The example's tokens as a layer sees them; all are queries.
  func tokens(_ x: Matrix<Float>, _ layer: DecoderLayer<Float>) throws -> PassTokens<Float> {
    let text = configuration.text
    let rotary = Rotary<Float>(
      positions: positions, axes: text.mropeAxes,
      frequencies: Rotary.inverseFrequencies(theta: text.ropeTheta, dimension: text.rotaryNumbers),
      headDimension: text.headDimension)
    return PassTokens(
      DecoderInput(embeddings: x, positions: positions), outputPositions: Array(0..<x.rows), past: .none, rotary: rotary
    )
  }

  func compare(_ ours: Matrix<Float>, _ name: String) throws { try compare(ours.values, name) }

  func compare(_ ours: [Float], _ name: String) throws {
    unread.remove(name)
    let error = relativeError(ours, try values(name))
    #expect(error <= 1e-4, "\(name): \(error)")
  }
}
