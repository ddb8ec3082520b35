// Scores of free answers, worked out by hand from the definitions of their benchmarks.
import Datasets
import Testing

@testable import Evaluation

@Suite("Scores of answers")
struct ScorerTests {
  @Test(
    "normalized exact match: case, punctuation, articles and spaces are none of it",
    arguments: [
      ("The  Eiffel Tower.", "eiffel tower", 1.0), ("an apple", "A apple!", 1), ("its", "it's", 1), ("a", "", 1),
      ("theatre", "the atre", 0), ("Zürich", "zürich ", 1), ("3.5", "35", 1), ("3 5", "35", 0),
    ] as [(String, String, Double)])
  func normalized(text: String, answer: String, score: Double) {
    #expect(Scorer.normalizedExactMatch.score(text, against: [answer]) == score)
  }

  @Test("the best of several answers counts") func best() {
    #expect(Scorer.normalizedExactMatch.score("dog", against: ["cat", "Dog"]) == 1)
    #expect(Scorer.exactMatch.score("dog", against: ["cat", "Dog"]) == 0)
    #expect(Scorer.anls.score("hallo", against: ["xxxxx", "hello"]) == 0.8)
    #expect(Scorer.finalNumber.score("so 4", against: ["3", "#### 4"]) == 1)
  }

  @Test(
    "VQA accuracy of ten answers: the mean over ways of leaving one out",
    arguments: [
      // m matches: m leave m - 1, 10 - m leave m.
      (0, 0.0), (1, 0.3), (2, 0.6), (3, 0.9), (4, 1.0), (10, 1.0),
    ] as [(Int, Double)])
  func vqa(matches: Int, score: Double) {
    let answers = Array(repeating: "yes", count: matches) + Array(repeating: "no", count: 10 - matches)
    #expect(abs(Scorer.vqaAccuracy.score("Yes.", against: answers) - score) < 1e-12)
  }

  @Test("of fewer than four answers any match is right") func few() {
    #expect(Scorer.vqaAccuracy.score("two", against: ["2"]) == 1)
    #expect(Scorer.vqaAccuracy.score("two", against: ["3", "2"]) == 1)
    #expect(Scorer.vqaAccuracy.score("two", against: ["3"]) == 0)
  }

  @Test(
    "VQA's normal form",
    arguments: [
      ("A dog, the cat", "dog cat"), ("dont", "don't"), ("Ten people", "10 people"), ("none", "0"), ("1,000", "1000"),
      ("red/blue", "red blue"), ("red / blue", "red blue"), ("U.S.", "us"), ("3.5", "3.5"),
      ("what\n time", "what time"),
      ("2 . 5", "2 5"), ("", ""),
    ])
  func vqaNormalForm(text: String, normal: String) { #expect(Scorer.vqaNormalized(text) == normal) }

  @Test(
    "ANLS: one less the distance over the longer length, nothing at a half and below",
    arguments: [
      ("hello", "hello", 1.0), ("Hello  World", "hello world", 1), ("hallo", "hello", 0.8), ("", "", 1), ("", "a", 0),
      ("ab", "cd", 0), ("ab", "ac", 0), ("abc", "abd", 2 / 3.0), ("kitten", "sitting", 4 / 7.0),
      (String(repeating: "x", count: 5000), "x", 0),
    ] as [(String, String, Double)])
  func anls(text: String, answer: String, score: Double) {
    #expect(abs(Scorer.anls.score(text, against: [answer]) - score) < 1e-12)
  }

  @Test(
    "the final number: behind the last ####, or the last of all",
    arguments: [
      ("2 and 3 make #### 5 apples", "5"), ("#### 5\n#### $1,234.50", "1234.5"), ("The answer is 42.", "42"),
      ("it costs $-3", "-3"), ("5-3", "3"), ("a loss of -7%", "-7"), ("007", "7"), ("3.0", "3"), (".5", "0.5"),
      ("12,345,678", "12345678"), ("1, 2", "2"), ("-0", "0"), ("#### none, but 8", "8"), ("x = 1.25.", "1.25"),
    ])
  func finalNumber(text: String, number: String) { #expect(Scorer.finalNumber(text) == number) }

  @Test("texts without a number have none") func noNumber() {
    #expect(Scorer.finalNumber("none") == nil && Scorer.finalNumber("") == nil && Scorer.finalNumber("###") == nil)
    #expect(Scorer.finalNumber.score("none", against: ["none"]) == 0)
  }

  private func result(_ score: AnswerScore?, nll: Double = 1, point: Bool? = nil, exact: Bool = false) -> ExampleResult
  {
    ExampleResult(
      nll: nll, tokens: 1, top1: 1,
      answer: .init(
        prompt: "", reference: "", prediction: "", finished: true, exactMatch: exact,
        place: point.map { PlaceScore(pointInBox: $0, iou: nil) }, score: score))
  }

  @Test("means by scorer, over the examples that have it, and over all of them") func means() {
    let metrics = Metrics([
      result(AnswerScore(scorer: .anls, value: 0.5)), result(AnswerScore(scorer: .anls, value: 1)),
      result(AnswerScore(scorer: .finalNumber, value: 0)), result(nil),
    ])
    #expect(metrics.scores.map(\.scorer) == [.anls, .finalNumber])
    #expect(metrics.scores.map(\.mean.value) == [0.75, 0] && metrics.scores.map(\.mean.count) == [2, 1])
    #expect(metrics.meanScore == 0.5 && Metrics([result(nil)]).meanScore == nil)
    let table = Metrics.table([("base", metrics)])
    #expect(table.contains { $0.hasPrefix("ANLS (2 examples)") && $0.hasSuffix("75.00%") })
  }

  @Test("a loss that falls while answers get worse is said, in places first") func regression() {
    func metrics(_ nll: Double, point: Bool, exact: Bool) -> Metrics {
      Metrics([result(nil, nll: nll, point: point, exact: exact)])
    }
    let base = metrics(5.95, point: true, exact: true)
    #expect(
      Metrics.regression([base, metrics(1.67, point: false, exact: false)])
        == "the loss fell from 5.9500 to 1.6700, but point in box fell too, from 100.0% to 0.0%")
    #expect(Metrics.regression([base, metrics(1.67, point: true, exact: false)])?.contains("exact match") == true)
    #expect(Metrics.regression([base, metrics(1.67, point: true, exact: true)]) == nil)
    #expect(Metrics.regression([base, metrics(6, point: false, exact: false)]) == nil)
    #expect(Metrics.regression([base]) == nil)
  }
}
