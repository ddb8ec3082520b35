// Which rows are examples, and where their pictures and boxes are: the rows' files, read again.
import Datasets
import Evaluation
import Foundation
import Preprocessing
import RunFile

/// Rows of the file that predictions were made on.
struct ShownExamples {
  private let rows: [String: Example]
  /// What the model saw of a row; nil where the model's folder cannot say.
  private let samples: SampleBuilder?
  /// What is missing, and why.
  let omissions: [String]
  /// Pictures of one row that are shown.
  private static let pictures = 4

  init(_ run: ReportedRun) {
    var omissions: [String] = []
    do {
      rows = try Self.read(run.run)
    } catch {
      rows = [:]
      omissions.append("pictures of the examples: \(error)")
    }
    do {
      samples = try run.run.samplesWithoutWeights()
    } catch {
      samples = nil
      omissions.append("places in the examples' pictures: \(error)")
    }
    let ids = Set((run.predictions ?? []).map(\.id))
    if !rows.isEmpty, ids.isDisjoint(with: rows.keys) {
      omissions.append("pictures of the examples: the predictions are not of the run's validation or training rows")
    }
    self.omissions = omissions
  }

  /// Rows by id: of validation, then of training.
  private static func read(_ run: RunConfiguration) throws -> [String: Example] {
    var rows: [String: Example] = [:]
    for file in [run.data.validation?.resolved, run.data.train.resolved].compactMap(\.self) {
      let reader = ExampleReader(imageRoot: run.data.imageRoot.resolved, policy: .skip)
      for row in try reader.read(file).rows where rows[row.id] == nil { rows[row.id] = row }
    }
    return rows
  }

  /// Examples of what the last model gets wrong, then of what it gets right, about as many of each.
  func examples(of models: [AnswersSection.Model], count: Int) -> [ShownExample] {
    guard let lines = models.last?.runs.first else { return [] }
    return Self.choice(of: lines, count: count).map { example(lines[$0], models: models) }
  }

  /// Indices of wrong lines and of right ones behind them, spread evenly over each.
  static func choice(of lines: [PredictionLine], count: Int) -> [Int] {
    let wrong = lines.indices.filter { lines[$0].isRight == false }
    let right = lines.indices.filter { lines[$0].isRight == true }
    let wrongCount = min(wrong.count, max(count / 2, count - right.count))
    return [(wrong, wrongCount), (right, min(right.count, count - wrongCount))].flatMap { indices, count in
      (0..<count).map { indices[$0 * indices.count / count] }
    }
  }

  private func example(_ line: PredictionLine, models: [AnswersSection.Model]) -> ShownExample {
    let row = rows[line.id]
    let given = models.compactMap { model in
      model.runs.first?.first { $0.id == line.id }.map { (model: model, line: $0) }
    }
    return ShownExample(
      id: line.id, question: question(ofPrompt: line.prompt ?? ""), reference: line.reference ?? "",
      answers: given.map { model, line in
        ShownExample.Answer(
          name: model.name, colour: model.colour, text: line.prediction ?? "", isRight: line.isRight)
      },
      pictures: row.map { pictures(of: $0, given) } ?? [])
  }

  /// A row's pictures with its boxes and the places that models named; a picture that cannot be read is left out.
  private func pictures(
    of row: Example, _ given: [(model: AnswersSection.Model, line: PredictionLine)]
  ) -> [ImageFigure] {
    let embedded = row.images.prefix(Self.pictures).map { try? EmbeddedImage($0) }
    let prompt = try? samples?.prompt(for: row)
    let target = prompt.flatMap { PlaceTarget(row: row, prompt: $0) }
    let boxes = target?.rightBoxes ?? row.objects?.boxes ?? []
    return embedded.enumerated().compactMap { index, picture in
      guard let picture else { return nil }
      var figure = ImageFigure(image: picture, description: "picture of row \(row.id)")
      figure.boxes = boxes.filter { $0.image == index }
      figure.predictions = given.compactMap { model, line in
        guard let (place, image) = target?.place(in: line.prediction ?? ""), image == index else { return nil }
        return ImageFigure.Prediction(
          place: place, isRight: line.isRight ?? false, colour: model.colour, name: model.name)
      }
      return figure
    }
  }
}
