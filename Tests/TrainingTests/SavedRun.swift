// What a run left in its folder, read by the file formats alone and not by the code that wrote it.
import Digests
import Foundation
import HDF5
import TestSupport

/// A checkpoint's numbers by the paths of docs/formats.md.
struct SavedCheckpoint: Equatable {
  let step, epoch: Int
  let bestStep: Int?
  let bestLoss: Double?
  let validationDue: Bool
  /// `/adapter`, `/optimizer/exp_avg` and `/optimizer/exp_avg_sq`, by tensor.
  let adapter, expAvg, expAvgSq: [String: [Float]]
  let steps, tokens: [Int64]
  let losses, learningRates, gradientNorms: [Double]

  init(_ path: String) throws {
    let file = try File.open(path)
    func integer(_ name: String) throws -> Int? {
      try file.hasAttribute(name) ? Int(file.attribute(name, as: Int64.self)) : nil
    }
    step = try integer("step") ?? -1
    epoch = try integer("epoch") ?? -1
    bestStep = try integer("best_step")
    bestLoss = try bestStep.map { _ in try file.attribute("best_validation_loss", as: Double.self) }
    validationDue = try integer("validation_due") == 1
    var groups: [[String: [Float]]] = []
    for group in ["/adapter", "/optimizer/exp_avg", "/optimizer/exp_avg_sq"] {
      var tensors: [String: [Float]] = [:]
      for name in try file.children(of: group) where !["kv_indices", "value_head_indices"].contains(name) {
        tensors[name] = try file.read(Float.self, from: "\(group)/\(name)", maximumCount: 1 << 20).values
      }
      groups.append(tensors)
    }
    (adapter, expAvg, expAvgSq) = (groups[0], groups[1], groups[2])
    func column<T: Element>(_ type: T.Type, _ name: String) throws -> [T] {
      try file.read(type, from: "/metrics/\(name)", maximumCount: 1 << 20).values
    }
    (steps, tokens) = (try column(Int64.self, "step"), try column(Int64.self, "tokens"))
    losses = try column(Double.self, "loss")
    learningRates = try column(Double.self, "learning_rate")
    gradientNorms = try column(Double.self, "gradient_norm")
  }

  /// Equal to the last bit.
  static func == (a: Self, b: Self) -> Bool {
    func bits(_ tensors: [String: [Float]]) -> [String: [UInt32]] { tensors.mapValues { $0.map(\.bitPattern) } }
    func all(_ c: Self) -> [[UInt64]] { [c.losses, c.learningRates, c.gradientNorms].map { $0.map(\.bitPattern) } }
    return a.step == b.step && a.epoch == b.epoch && a.bestStep == b.bestStep
      && a.bestLoss?.bitPattern == b.bestLoss?.bitPattern && a.validationDue == b.validationDue
      && bits(a.adapter) == bits(b.adapter) && bits(a.expAvg) == bits(b.expAvg)
      && bits(a.expAvgSq) == bits(b.expAvgSq) && a.steps == b.steps && a.tokens == b.tokens && all(a) == all(b)
  }
}

/// A line of metrics.jsonl without times.
struct LoggedLine: Equatable, Decodable {
  var step: Int
  var epoch, tokens, rows, validation_rows, validation_tokens: Int?
  var loss, learning_rate, gradient_norm, validation_loss: Double?
}

/// A line of sessions.jsonl without the time and the version.
struct LoggedSession: Equatable, Decodable {
  var after_step, world_size, threads: Int
  var precision: String
}

extension TinyRun {
  /// Of a step whose validation is still to come, the name that says so.
  func path(step: Int) -> String {
    let name = directory + "/step-" + String(format: "%08d", step)
    return FileManager.default.fileExists(atPath: name + ".due.h5") ? name + ".due.h5" : name + ".h5"
  }

  /// The steps of all checkpoints, ascending.
  var savedSteps: [Int] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []
    return names.filter { $0.hasPrefix("step-") && $0.hasSuffix(".h5") }.compactMap {
      Int($0.dropFirst(5).prefix { $0 != "." })
    }
    .sorted()
  }

  func checkpoint(_ step: Int) throws -> SavedCheckpoint { try SavedCheckpoint(path(step: step)) }

  /// Steps of checkpoints whose bytes are those that their `.sha256` states.
  var validSteps: [Int] {
    savedSteps.filter { step in
      guard let bytes = try? bytes(of: path(step: step)), let line = try? text("\(path(step: step)).sha256") else {
        return false
      }
      return line.hasPrefix(SHA256.hex(bytes))
    }
  }

  /// Names of files that a failed write left half done.
  var partialFiles: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: directory)) ?? []).filter { $0.contains("partial") }
  }

  /// All lines of metrics.jsonl; throws for one that is no JSON.
  func log() throws -> [LoggedLine] { try lines("metrics.jsonl") }

  func sessions() throws -> [LoggedSession] { try lines("sessions.jsonl") }

  private func text(_ path: String) throws -> String { String(decoding: try bytes(of: path), as: UTF8.self) }

  private func lines<Line: Decodable>(_ name: String) throws -> [Line] {
    try text("\(directory)/\(name)").split(separator: "\n").map {
      try JSONDecoder().decode(Line.self, from: Data($0.utf8))
    }
  }
}
