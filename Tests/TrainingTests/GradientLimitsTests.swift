// What a step's exact sum counts in follows the gradients; a gradient beyond its bound makes the step begin again.
import Adapters
import Collectives
import TestSupport
import Testing

@testable import Training

@Suite("Bounds of the gradients that a step adds up")
struct GradientLimitsTests {
  /// What a first step came to.
  private struct Outcome: Equatable {
    let parameters: [UInt32]
    let state: OptimizerState
    let loss, norm: Double
    /// Calls of the all-reduce.
    let sums: Int
  }

  /// The first step of a tiny run on some ranks, from bounds that it states.
  private func step(ranks: Int, exponents: (_ tensors: Int) -> [Int]) throws -> Outcome {
    let starts = (0..<64).map { exponents($0) }
    let found = try TinyRun(validation: []).onRanks(ranks) { job, signals in
      let trainer = try Trainer(job, resume: .no, output: { _ in }, signals: signals)
      var state = OptimizerState(count: trainer.stepper.adapter.layout.count)
      state.gradientExponents = starts[trainer.stepper.adapter.layout.tensors.count]
      let before = job.communicator.traffic.sumCalls
      let report = try trainer.stepper.step(&state, learningRate: 0.01, requests: .none)
      return Outcome(
        parameters: trainer.stepper.adapter.parameters.values.map(\.bitPattern), state: state, loss: report.loss,
        norm: report.gradientNorm, sums: job.communicator.traffic.sumCalls - before)
    }
    let outcomes = try found.map { try $0.get() }
    #expect(outcomes.allSatisfy { $0 == outcomes[0] })
    return outcomes[0]
  }

  @Test("bounds that are far too low: the step begins again, once, to the same bytes on 1, 2 and 3 ranks")
  func tooLow() throws {
    let plain = try step(ranks: 1) { _ in [] }
    #expect(plain.sums == 1 && !plain.state.gradientExponents.isEmpty)
    let raised = try [1, 2, 3].map { try step(ranks: $0) { Array(repeating: -90, count: $0) } }
    #expect(raised[0].sums == 2 && raised[1] == raised[0] && raised[2] == raised[0])
    #expect(raised[0].loss == plain.loss && abs(raised[0].norm / plain.norm - 1) < 1e-7)
    #expect(raised[0].state.gradientExponents.contains { $0 != -90 })
  }

  @Test("bounds lie 14 powers of two above the last sum, those of zeros 16 above the largest; all zeros change nothing")
  func following() {
    var limits = GradientLimits(OptimizerState(count: 0), tensors: 3)
    #expect(limits.exponents == [12, 12, 12])
    limits.follow([nil, nil, nil])
    #expect(limits.exponents == [12, 12, 12])
    limits.follow([nil, -7, -200])
    #expect(limits.exponents == [9, 7, -100])
    limits.raise(to: [[.min, 3, 4], [10, .min, -100]])
    #expect(limits.exponents == [24, 7, 18])
    // Words of 2^-38, 2^-55 and 2^-44: sums of 26 bits are fine.
    #expect(!limits.refine([-12, -29, nil], addends: 1) && limits.exponents == [24, 7, 18])
    #expect(limits.refine([-13, -30, -19], addends: 1) && limits.exponents == [1, -16, -5])
  }
}
