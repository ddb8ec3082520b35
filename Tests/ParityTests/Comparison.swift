// Two parity files compared rung by rung: from the tokens up to the gradients, each with its tolerance.
import HDF5

/// The kinds of numbers in a parity file, in the order in which a mistake would show first.
enum Rung: String, CaseIterable {
  case inputIDs = "input_ids"
  case labels
  case visualMask = "visual_mask"
  case positionIDs = "position_ids"
  case imageGridTHW = "image_grid_thw"
  case pixelValues = "pixel_values"
  case baseLogits = "base/logits"
  case baseLoss = "base nll_sum"
  case baseTokens = "base tokens"
  case adaptedLogits = "adapted/logits"
  case adaptedLoss = "adapted nll_sum"
  case adaptedTokens = "adapted tokens"
  case gradientA = "adapted/gradients A"
  case gradientB = "adapted/gradients B"
  case gradientGamma = "adapted/gradients gamma"
  case gateGradient = "influence/gate_gradient"
  case rank1Gradient = "influence/rank1_gradient"

  /// The largest error that passes.
  var limit: Double {
    switch self {
    case .inputIDs, .labels, .visualMask, .positionIDs, .imageGridTHW, .baseTokens, .adaptedTokens: 0
    case .pixelValues: 0.01
    default: 1e-4
    }
  }
}

/// Largest difference as a part of the reference's largest value, or of `scale` if that is larger; the difference
/// itself where both are zero, infinite where shapes or kinds of numbers differ.
func relativeError(_ ours: [Float], _ reference: [Float], scale: Double = 0) -> Double {
  guard ours.count == reference.count, (ours + reference).allSatisfy(\.isFinite) else { return .infinity }
  let difference = zip(ours, reference).map { abs(Double($0) - Double($1)) }.max() ?? 0
  let largest = max(scale, reference.map { abs(Double($0)) }.max() ?? 0)
  return largest > 0 ? difference / largest : difference
}

/// What differs between a reference and another file.
struct Comparison {
  private(set) var rungs: Set<Rung> = []
  /// The groups of a row that were compared: the frozen model, adapters, influence.
  private(set) var parts: Set<String> = []
  private(set) var differences: [String] = []

  /// Compares everything that the reference holds.
  init(_ reference: borrowing File, _ ours: borrowing File) throws {
    for row in try reference.children(of: "/") {
      if try reference.exists("/\(row)/input_ids") {
        try compareIntegers(Int32.self, .inputIDs, row, reference, ours)
        try compareIntegers(Int32.self, .labels, row, reference, ours)
        try compareIntegers(UInt8.self, .visualMask, row, reference, ours)
        try compareIntegers(Int32.self, .positionIDs, row, reference, ours)
      }
      if try reference.exists("/\(row)/pixel_values") {
        try compareIntegers(Int32.self, .imageGridTHW, row, reference, ours)
        try comparePixels(row, reference, ours)
      }
      for (part, logits, loss, tokens) in [
        ("base", Rung.baseLogits, Rung.baseLoss, Rung.baseTokens),
        ("adapted", .adaptedLogits, .adaptedLoss, .adaptedTokens),
        ("adapted_linear", .adaptedLogits, .adaptedLoss, .adaptedTokens),
        ("adapted_both", .adaptedLogits, .adaptedLoss, .adaptedTokens),
      ] where try reference.exists("/\(row)/\(part)") {
        parts.insert(part)
        try compareNumbers("/\(row)/\(part)/logits", logits, reference, ours)
        try compareLosses("/\(row)/\(part)", loss, tokens, reference, ours)
        guard part != "base" else { continue }
        let groups = part == "adapted_both" ? ["/attention", "/linear"] : [""]
        for group in groups { try compareGradients("/\(row)/\(part)/gradients\(group)", reference, ours) }
      }
      for part in ["influence", "influence_linear"] where try reference.exists("/\(row)/\(part)") {
        parts.insert(part)
        try compareNumbers("/\(row)/\(part)/gate_gradient", .gateGradient, reference, ours)
        try compareNumbers("/\(row)/\(part)/rank1_gradient", .rank1Gradient, reference, ours)
      }
    }
  }

  /// Of one adapter. The gradient of a gamma is one number, a sum whose terms can cancel: its scale is the largest of
  /// the adapter's in this row, or what the sum comes to where they do not cancel, which the reference states.
  private mutating func compareGradients(
    _ group: String, _ reference: borrowing File, _ ours: borrowing File
  ) throws {
    let names = try reference.children(of: group)
    let gammas = try names.filter { $0.hasSuffix(".gamma") }.map {
      abs(Double(try reference.read(Float.self, from: "\(group)/\($0)", maximumCount: 1).values[0]))
    }
    for name in names {
      switch name.split(separator: ".").last {
      case "A": try compareNumbers("\(group)/\(name)", .gradientA, reference, ours)
      case "B": try compareNumbers("\(group)/\(name)", .gradientB, reference, ours)
      default:
        let stated = try? reference.attribute("scale", of: "\(group)/\(name)", as: Double.self)
        try compareNumbers(
          "\(group)/\(name)", .gradientGamma, reference, ours, scale: max(stated ?? 0, gammas.max() ?? 0))
      }
    }
  }

  private mutating func note(_ rung: Rung, _ place: String, _ error: Double) {
    rungs.insert(rung)
    guard !(error <= rung.limit) else { return }
    differences.append("\(rung.rawValue) at \(place): error \(error), limit \(rung.limit)")
  }

  private mutating func compareIntegers<T: Element & Equatable>(
    _: T.Type, _ rung: Rung, _ row: String, _ reference: borrowing File, _ ours: borrowing File
  ) throws {
    let path = "/\(row)/\(rung.rawValue)"
    let expected = try reference.read(T.self, from: path, maximumCount: 1 << 24)
    let found = try ours.read(T.self, from: path, maximumCount: 1 << 24)
    note(rung, path, expected == found ? 0 : .infinity)
  }

  /// Pixels in 8-bit levels: the smallest of the three standard deviations turns a normalised value into 0...1.
  private mutating func comparePixels(_ row: String, _ reference: borrowing File, _ ours: borrowing File) throws {
    let path = "/\(row)/pixel_values"
    let expected = try reference.read(Float.self, from: path, maximumCount: 1 << 24)
    let found = try ours.read(Float.self, from: path, maximumCount: 1 << 24)
    let difference = zip(expected.values, found.values).map { abs(Double($0) - Double($1)) }.max() ?? .infinity
    note(.pixelValues, path, expected.shape == found.shape ? difference * 0.2613 * 255 : .infinity)
  }

  private mutating func compareNumbers(
    _ path: String, _ rung: Rung, _ reference: borrowing File, _ ours: borrowing File, scale: Double = 0
  ) throws {
    let expected = try reference.read(Float.self, from: path, maximumCount: 1 << 24)
    let found = try ours.read(Float.self, from: path, maximumCount: 1 << 24)
    // A fixture may have the logits of the first answer tokens alone.
    let isPart = [.baseLogits, .adaptedLogits].contains(rung) && expected.shape[0] < found.shape[0]
    let hasShape = isPart ? expected.shape.dropFirst() == found.shape.dropFirst() : expected.shape == found.shape
    let ours = isPart ? Array(found.values.prefix(expected.values.count)) : found.values
    note(rung, path, hasShape ? relativeError(ours, expected.values, scale: scale) : .infinity)
  }

  private mutating func compareLosses(
    _ path: String, _ loss: Rung, _ tokens: Rung, _ reference: borrowing File, _ ours: borrowing File
  ) throws {
    let expected = try reference.attribute("nll_sum", of: path, as: Double.self)
    let found = try ours.attribute("nll_sum", of: path, as: Double.self)
    note(loss, path, abs(found - expected) / abs(expected))
    let counts = try (
      reference.attribute("tokens", of: path, as: Int64.self), ours.attribute("tokens", of: path, as: Int64.self)
    )
    note(tokens, path, counts.0 == counts.1 ? 0 : .infinity)
  }
}
