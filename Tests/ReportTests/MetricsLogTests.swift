import Foundation
import Testing

@testable import Report

@Suite("All readable lines of metrics.jsonl are read")
struct MetricsLogTests {
  private func log(_ text: String) -> MetricsLog { MetricsLog(Data(text.utf8)) }

  @Test func lines() throws {
    let log = log(
      """
      {"step":1,"epoch":0,"loss":2.5,"rows":8,"compute_seconds":9,"reduce_seconds":1}
      {"step":2,"epoch":0,"loss":2.0,"rows":8,"compute_seconds":1.5,"reduce_seconds":0.5}
      {"step":2,"validation_loss":1.5,"validation_rows":4,"validation_tokens":9,"validation_accuracy":0.25}
      {"step":3,"epoch":0,"loss":1.0,"rows":8,"compute_seconds":1.5,"reduce_seconds":0.5}
      {"step":3,"validation_loss":1.25}
      {"step":3,"loss":1.5}

      """)
    #expect(log.problems.isEmpty && !log.isEmpty)
    // The later line of a step counts.
    #expect(log.curve("loss").points.map(\.value) == [2.5, 2, 1.5])
    #expect(log.lowestValidationLoss == CurvePoint(step: 3, value: 1.25))
    #expect(log.validationMeasures == ["validation_accuracy"])
    let times = try #require(log.times)
    #expect(times.step == 2 && times.reduce == 0.5 && times.examplesPerSecond == 4)
  }

  /// Foundation's reader of JSON5 ends the process at such a key.
  @Test func bytesThatAreNoText() {
    let line = Data(#"{"step":1,"loss":2.5}"#.utf8)
    for bytes: [UInt8] in [[0xFF], [0x80], [0xC3], [0xED, 0xA0, 0x80], [0xF0, 0x9F]] {
      let name = Data(bytes) + Data("abcd".utf8)
      for key in [name, Data("\"".utf8) + name + Data("\"".utf8)] {
        let log = MetricsLog(line + Data("\n{".utf8) + key + Data(":1}\n".utf8))
        #expect(log.problems == ["line 2 is no JSON object of numbers"])
        #expect(log.curve("loss").points.map(\.value) == [2.5])
      }
    }
  }

  /// Losses that are not numbers, as other programs write them, and lines that are not valid.
  @Test func notNumbers() {
    let log = log(
      """
      {"step":1,"loss":NaN}
      {"step":2,"loss":"NaN"}
      {"step":3,"loss":Infinity}
      {"step":4,"loss":1.5,"host":"node"}
      {"step":5,"los
      [1, 2]
      {"loss":3}
      {"step":-1,"loss":3}
      {"step":1.5,"loss":3}
      {"step":1e300,"loss":3}
      """)
    #expect(log.curve("loss").points.filter { $0.value.isFinite } == [CurvePoint(step: 4, value: 1.5)])
    #expect(log.curve("loss").segments(.linear).count == 1)
    #expect(log.curve("host").points.isEmpty)
    #expect(log.problems.first == "line 5 is no JSON object of numbers" && log.problems.count == 6)
    #expect(log.times == nil && log.lowestValidationLoss == nil)
  }

  @Test func empty() {
    #expect(log("").isEmpty && log("\n \n").isEmpty && log("").problems.isEmpty && log("").times == nil)
  }
}
