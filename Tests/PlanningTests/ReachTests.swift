// A step on many ranks: the network's part by the formula of recursive halving, the waiting of uneven examples.
import Costs
import RunFile
import TestSupport
import Testing
import TinyModels

@testable import Planning

@Suite("What a plan says of a node and of the probe")
struct FittingTests {
  private func plan(_ model: TinyModel, _ more: String = "") throws -> Plan {
    let run = try RunConfiguration(
      text: "{model: {path: \(model.folder)}, data: {train: none.jsonl}, training: {steps: 1, global_batch: 4}\(more)}",
      path: "/r.yaml")
    return try Plan(run, ranks: Plan.Ranks(nodes: 1, perNode: 4), assumed: .usual)
  }

  @Test("a node that is too small, with what would fit; nothing of one that is large enough")
  func fitting() throws {
    let model = try TinyModel()
    var plan = try plan(model)
    plan.nodeMemory = plan.nodeBytes
    #expect(plan.fitting == nil && !plan.lines.contains { $0.hasPrefix("too small") })
    // Less by a part of the saved activations: all four ranks fit if some are recomputed.
    plan.nodeMemory = plan.nodeBytes - 1024
    let fitting = try #require(plan.fitting)
    #expect(fitting.ranksPerNode == 3)
    plan.nodeMemory = plan.weights.bytes + 2.5 * plan.memory.total
    #expect(plan.fitting?.ranksPerNode == 2)
    plan.nodeMemory = plan.weights.bytes + 0.5 * plan.memory.total
    #expect(plan.fitting?.ranksPerNode == 0 && plan.document.memory.fittingRanksPerNode == 0)
    #expect(plan.lines.contains { $0.contains("not one rank fits") })
  }

  @Test("the probe is counted where one runs, and takes its part of the run") func probe() throws {
    let model = try TinyModel()
    var plan = try plan(model, ", adapter: {heads: {probe_rows: 50}}")
    plan.gflops = 1
    #expect(plan.probe?.examples == 50)
    let seconds = try #require(plan.document.time?.probeSeconds)
    #expect(abs(seconds - (plan.probe?.flops ?? 0) / 4 / 1e9) < 1e-12)
    #expect(abs((plan.document.time?.runSeconds ?? 0) - (plan.document.time?.stepSeconds ?? 0) - seconds) < 1e-9)
    // Forward and backward of every example down to the lowest layer: more than a training example's.
    #expect((plan.probe?.flops ?? 0) > 50 * plan.work.example.decoding)
    #expect(try self.plan(model, ", adapter: {heads: {select: all}}").probe == nil)
    #expect(try self.plan(model, ", adapter: {kind: lora}").probe == nil)
  }
}

@Suite("Steps on many ranks")
struct ReachTests {
  private let network = Network(latency: 1e-3, bandwidth: 1e9)

  @Test("one node sends nothing; two nodes exchange the payload twice by halves")
  func small() {
    #expect(network.allReduceSeconds(bytes: 1 << 20, nodes: 1, perNode: 64) == 0)
    // A small payload goes whole. Halves of 8 KB fit in a window; those of 512 KiB need 64, 128, 256 and 64 KiB, each
    // after a round trip.
    #expect(abs(network.allReduceSeconds(bytes: 8000, nodes: 2, perNode: 1) - (1e-3 + 8e-6)) < 1e-12)
    #expect(abs(network.allReduceSeconds(bytes: 16_000, nodes: 2, perNode: 1) - 2 * (1e-3 + 8e-6)) < 1e-12)
    #expect(abs(network.allReduceSeconds(bytes: 1 << 20, nodes: 2, perNode: 1) - 2 * (7e-3 + 524_288e-9)) < 1e-12)
    // Ranks of a node halve it between themselves, and send the quarters at once.
    let shared = network.allReduceSeconds(bytes: 1 << 20, nodes: 2, perNode: 2)
    #expect(abs(shared - 2 * (5e-3 + 2 * 262_144e-9)) < 1e-12)
  }

  @Test("rounds grow with the logarithm of the nodes, bytes towards twice the payload")
  func large() {
    let bytes = 1 << 30
    let many = Network(latency: 0, bandwidth: 1e9).allReduceSeconds(bytes: bytes, nodes: 4096, perNode: 1)
    #expect(abs(many / (2 * Double(bytes) / 1e9) - 1) < 0.01)
    let slow = Network(latency: 1, bandwidth: 1e18)
    #expect(abs(slow.allReduceSeconds(bytes: 1024, nodes: 4096, perNode: 1) - 12) < 1e-6)
    #expect(abs(slow.allReduceSeconds(bytes: 10_000, nodes: 4096, perNode: 1) - 24) < 1e-6)
    // Three ranks: a ring of thirds.
    #expect(abs(slow.allReduceSeconds(bytes: 10_000, nodes: 3, perNode: 1) - 4) < 1e-6)
    #expect(
      network.allReduceSeconds(bytes: bytes, nodes: 5, perNode: 1)
        > network.allReduceSeconds(bytes: bytes, nodes: 4, perNode: 1))
  }

  @Test("a plan says what 1 to 4,096 ranks do; without a rate it says nothing")
  func plan() throws {
    let model = try TinyModel()
    let run = try RunConfiguration(
      text: "{model: {path: \(model.folder)}, data: {train: none.jsonl}, training: {steps: 1, global_batch: 4}}",
      path: "/r.yaml")
    var plan = try Plan(run, ranks: Plan.Ranks(nodes: 1, perNode: 2), assumed: .usual)
    plan.network = network
    #expect(plan.reach(network) == nil && plan.document.reach == nil)
    plan.gflops = plan.rate(stepSeconds: 0.5)
    let rows = try #require(plan.reach(network))
    #expect(rows.map(\.ranks) == (0...12).map { 1 << $0 } && rows.map(\.nodes).prefix(4) == [1, 1, 2, 4])
    // All examples are alike: the same work on every rank, as in the step that was measured.
    #expect(rows.allSatisfy { abs($0.computeSeconds - 0.5) < 1e-9 && $0.globalBatch == 2 * $0.ranks })
    #expect(rows[1].efficiency == 1 && rows[12].efficiency < rows[2].efficiency)
    for row in rows { #expect(abs(row.efficiency - 0.5 / row.stepSeconds) < 1e-9) }
    #expect(plan.lines.count { $0.contains("%") && $0.contains("4096") } == 1)
  }
}
