// Chooses the examples to show, and reads their images and boxes again from the files of examples.
import Datasets
import Evaluation
import Files
import Foundation
import Preprocessing
import RunFile

/// The examples for which predictions were made.
struct ShownExamples {
  private let examples: [ExactString: Example]
  /// Makes an example's sample as the model saw it; nil if the model's folder cannot be read.
  private let samples: SampleBuilder?
  private let reading: ImageReading
  /// What is missing, and why.
  let omissions: [String]
  /// Maximum number of images shown for one example.
  private static let maximumImages = 4

  init(_ run: ReportedRun) {
    var omissions: [String] = []
    do {
      examples = try Self.read(run.run)
    } catch {
      examples = [:]
      omissions.append("images of the examples: \(error)")
    }
    do {
      samples = try run.run.samplesWithoutWeights()
    } catch {
      samples = nil
      omissions.append("places in the examples' images: \(error)")
    }
    reading = run.run.data.imageReading
    let ids = Set((run.predictions ?? []).map { ExactString($0.id) })
    let rows = examples
    if !rows.isEmpty, !ids.contains(where: { Self.example($0.text, in: rows) != nil }) {
      omissions.append(
        "images of the examples: the predictions are not of the run's validation or training examples")
    }
    self.omissions = omissions
  }

  /// Examples by id: of validation, then of training.
  private static func read(_ run: RunConfiguration) throws -> [ExactString: Example] {
    var examples: [ExactString: Example] = [:]
    for files in [run.validationFiles, run.trainingFiles].compactMap(\.self) {
      for example in try files.read().examples where examples[ExactString(example.id)] == nil {
        examples[ExactString(example.id)] = example
      }
    }
    return examples
  }

  /// Examples that the last model gets wrong, then about as many that it gets right.
  func examples(of models: [AnswersSection.Model], count: Int) -> [ShownExample] {
    guard let lines = models.last?.runs.first else { return [] }
    return Self.choice(of: lines, count: count).map { shown(lines[$0], models: models) }
  }

  /// Indices of wrong lines, then of right ones, each spread evenly over the file.
  static func choice(of lines: [PredictionLine], count: Int) -> [Int] {
    let wrong = lines.indices.filter { lines[$0].isRight == false }
    let right = lines.indices.filter { lines[$0].isRight == true }
    let wrongCount = min(wrong.count, max(count / 2, count - right.count))
    return [(wrong, wrongCount), (right, min(right.count, count - wrongCount))].flatMap { indices, count in
      (0..<count).map { indices[$0 * indices.count / count] }
    }
  }

  /// The example of an id: a row, or one of a row's answers, `id@message`.
  private static func example(_ id: String, in examples: [ExactString: Example]) -> Example? {
    if let row = examples[ExactString(id)] { return row }
    guard let at = id.utf8.lastIndex(of: UInt8(ascii: "@")), let index = Int(id[at...].dropFirst()),
      let row = examples[ExactString(String(id[..<at]))], row.messages.indices.contains(index),
      row.messages[index].role == .assistant
    else { return nil }
    return row.branch(endingWith: index)
  }

  private func shown(_ line: PredictionLine, models: [AnswersSection.Model]) -> ShownExample {
    let example = Self.example(line.id, in: examples)
    let given = models.compactMap { model in
      model.runs.first?.first { $0.id.hasSameBytes(as: line.id) }.map { (model: model, line: $0) }
    }
    return ShownExample(
      id: line.id, question: question(ofPrompt: line.prompt ?? ""), reference: line.reference ?? "",
      answers: given.map { model, line in
        ShownExample.Answer(
          name: model.name, colour: model.colour, text: line.prediction ?? "", isRight: line.isRight)
      },
      images: example.map { images(of: $0, given) } ?? [])
  }

  /// An example's images with its boxes and the places that models answered; an image that cannot be read is left out.
  private func images(
    of example: Example, _ given: [(model: AnswersSection.Model, line: PredictionLine)]
  ) -> [ImageFigure] {
    let embedded = example.images.prefix(Self.maximumImages).map { try? EmbeddedImage($0, reading: reading) }
    let prompt = try? samples?.prompt(for: example)
    let target = prompt.flatMap { PlaceTarget(row: example, prompt: $0) }
    let boxes = target?.rightBoxes ?? prompt?.sample.boxes ?? []
    return embedded.enumerated().compactMap { index, image in
      guard let image else { return nil }
      var figure = ImageFigure(image: image, description: "image of example \(example.id)")
      figure.boxes = boxes.filter { $0.image == index }
      figure.predictions = given.compactMap { model, line in
        guard let (place, number) = target?.place(in: line.prediction ?? ""), number == index else { return nil }
        return ImageFigure.Prediction(
          place: place, isRight: line.isRight ?? false, colour: model.colour, name: model.name)
      }
      return figure
    }
  }
}
