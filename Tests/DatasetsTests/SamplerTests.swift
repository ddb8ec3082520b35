// Steps, image groups and their assignment: values frozen from an independent script, and what training relies on.
import Foundation
import RandomNumbers
import Testing

@testable import Datasets

@Suite("Sampler")
struct SamplerTests {
  @Test("orders equal the reference")
  func frozen() {
    let sampler = Sampler(examples: 10, globalBatch: 4, seed: 7)
    #expect(sampler.order(epoch: 0) == [3, 1, 2, 5, 6, 4, 0, 8, 7, 9])
    #expect(sampler.order(epoch: 1) == [1, 3, 6, 0, 2, 5, 9, 4, 8, 7])
    #expect(Sampler(examples: 10, globalBatch: 4, seed: 8).order(epoch: 0) == [0, 5, 8, 6, 3, 2, 4, 1, 7, 9])
    let grouped = Sampler(examples: 9, groups: [5, 1, 5, 2, 1, 9, 2, 5, 4], globalBatch: 2, seed: 3)
    #expect(grouped.order(epoch: 0) == [0, 2, 7, 3, 6, 1, 4, 8, 5])
    #expect(sampler.examples(step: 2) == [7, 9, 1, 3])
  }

  @Test("each epoch holds each example once and every step is full", arguments: [1, 3, 4, 10, 23], [true, false])
  func coverage(batch: Int, grouped: Bool) {
    let sampler = Sampler(
      examples: 10, groups: grouped ? (0..<10).map { $0 / 3 } : nil, globalBatch: batch, seed: 5)
    let steps = (0..<20).map { sampler.examples(step: $0) }
    #expect(steps.allSatisfy { $0.count == batch })
    let sequence = steps.flatMap(\.self)
    for epoch in 0..<(sequence.count / 10) {
      #expect(sequence[(epoch * 10)..<(epoch * 10 + 10)].sorted() == Array(0..<10))
    }
  }

  @Test("a step asked for alone equals the same step in sequence")
  func independence() {
    func sampler() -> Sampler { Sampler(examples: 7, globalBatch: 3, seed: 11) }
    let one = sampler()
    let sequence = (0..<30).map { one.examples(step: $0) }
    for step in (0..<30).reversed() { #expect(sampler().examples(step: step) == sequence[step]) }
    for step in [29, 0, 13, 13, 2] { #expect(one.examples(step: step) == sequence[step]) }
  }

  @Test("examples of a group stay adjacent in the file's order")
  func groups() {
    let keys = (0..<40).map { ($0 * 7) % 11 }
    let sampler = Sampler(examples: 40, groups: keys, globalBatch: 40, seed: 2)
    let order = sampler.examples(step: 0)
    let runs = order.indices.filter { $0 == 0 || keys[order[$0]] != keys[order[$0 - 1]] }
    #expect(runs.count == Set(keys).count)
    for (a, b) in zip(order, order.dropFirst()) where keys[a] == keys[b] { #expect(a < b) }
  }

  @Test("epochs and steps count across the edges")
  func counting() {
    let sampler = Sampler(examples: 10, globalBatch: 4, seed: 0)
    #expect((0..<6).map(sampler.epoch(step:)) == [0, 0, 0, 1, 1, 2])
    #expect(sampler.stepsPerEpoch == 2.5)
    #expect(sampler.steps(epochs: 1) == 3 && sampler.steps(epochs: 2) == 5 && sampler.steps(epochs: 0.01) == 1)
  }
}

@Suite("Image groups and ranks")
struct ImageGroupTests {
  @Test("examples of equal images are one group; examples without images stay alone")
  func keysOfImages() {
    func example(_ images: String...) -> Example {
      Example(id: "r", line: 1, images: images.map { .file($0) }, messages: [])
    }
    let examples = [example("x"), example(), example("x", "y"), example("x"), example(), example("y", "x")]
    #expect(Datasets.imageKeys(of: examples) == [0, 1, 2, 0, 4, 5])
  }

  @Test("all examples as groups: equal images together, in order of first examples, within both limits")
  func groupsOfAllExamples() {
    func example(_ images: String...) -> Example {
      Example(id: "r", line: 1, images: images.map { .file($0) }, messages: [])
    }
    let examples = [example("x"), example(), example("y"), example("x"), example(), example("x"), example("y")]
    func found(_ tokens: Int) -> [[Int]] { imageGroups(of: examples) { $0.examples.count * tokens }.map(\.examples) }
    #expect(found(10) == [[0, 3, 5], [1], [2, 6], [4]])
    #expect(found(4096) == [[0, 3], [1], [2, 6], [4], [5]])
    #expect(found(9000) == examples.indices.map { [$0] })
    let many = imageGroups(of: (0..<40).map { _ in example("x") }) { $0.examples.count }
    #expect(many.map(\.examples) == [Array(0..<16), Array(16..<32), Array(32..<40)])
    #expect(
      inExampleOrder([["a", "d"], ["b"], ["c"]], of: [[0, 3], [1], [2]].map { ImageGroup(examples: $0) }) == [
        "a", "b", "c", "d",
      ])
  }

  @Test("neighbours of equal key form a group; every example of the step is in one, in order")
  func groupsOfAStep() {
    let keys = [0, 0, 0, 1, 1, 2, 2, 2, 2, 9]
    let sampler = Sampler(examples: 10, groups: keys, globalBatch: 4, seed: 1)
    for step in 0..<15 {
      let groups = sampler.imageGroups(step: step, grouping: keys)
      #expect(groups.flatMap(\.examples) == sampler.examples(step: step))
      #expect(groups.allSatisfy { Set($0.examples.map { keys[$0] }).count == 1 })
      for (a, b) in zip(groups, groups.dropFirst()) { #expect(keys[a.examples[0]] != keys[b.examples[0]]) }
      #expect(sampler.imageGroups(step: step).map(\.examples) == sampler.examples(step: step).map { [$0] })
    }
  }

  @Test("image groups join up to a micro-batch of examples; text-only examples stay separate")
  func microBatches() {
    let groups = [[0], [1], [2, 3], [4], [5], [6], [7]].map { ImageGroup(examples: $0) }
    func found(_ rows: Int) -> [[Int]] {
      Datasets.microBatches(of: groups, examples: rows) { $0 == 1 || $0 == 5 }.map { $0.flatMap(\.examples) }
    }
    #expect(found(1) == groups.map(\.examples))
    #expect(found(2) == [[0, 4], [1, 5], [2, 3], [6, 7]])
    #expect(found(3) == [[0, 2, 3], [1, 5], [4, 6, 7]])
    #expect(found(4) == [[0, 2, 3, 4], [1, 5], [6, 7]])
  }
}
