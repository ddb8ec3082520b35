// What turns a run's examples into samples, from the small files of the model's folder: no weights are read.
import Batches
import Datasets
import HuggingFace
import Preprocessing

extension RunConfiguration {
  /// A builder of the run's samples.
  /// - Throws: the error of the first file that is missing or broken.
  package func samplesWithoutWeights() throws -> SampleBuilder {
    let folder = model.path.resolved
    var settings = try PreprocessorConfiguration(folder: folder)
    settings.minPixels = model.minPixels ?? settings.minPixels
    settings.maxPixels = model.maxPixels ?? settings.maxPixels
    return try SampleBuilder(
      encoding: try Tokenizer(folder: folder),
      template: try ChatTemplate(folder: folder, variables: model.template ?? TemplateVariables()),
      processor: try ImageProcessor(settings, reading: data.imageReading),
      coordinates: try data.coordinates ?? Coordinates(of: ModelConfiguration(folder: folder).family),
      maxLength: data.maxLength)
  }

  /// Shapes of the run's training examples, as far as they are read.
  /// - Throws: the error of the first file that is missing or broken; `DatasetError.empty`.
  package func measuredExamples() throws -> MeasuredExamples {
    try MeasuredExamples(trainingFiles, samples: samplesWithoutWeights())
  }

  /// Memory for saved activations in addition to the layers' inputs, in bytes.
  package var activationBytes: Int { training.activationMemoryMiB.map { $0 << 20 } ?? .max }

  /// Examples in one pass, beside image groups that have more; one where that is still open.
  package var examplesPerPass: Int {
    switch training.microBatch {
    case .auto: 1
    case .examples(let count): count
    }
  }
}

extension RunConfiguration {
  /// The examples that are trained on.
  package var trainingFiles: ExampleFiles { files(data.train, side: .training) }

  /// The examples that the run is validated on, nil where it names none.
  package var validationFiles: ExampleFiles? {
    data.validation.map { files($0, side: nil) }
      ?? data.validationFraction.map { _ in files(data.train, side: .validation) }
  }

  /// Every file of the run once, all of its examples.
  package var allFiles: [ExampleFiles] {
    let train = files(data.train, side: nil)
    let validation = data.validation.map { files($0, side: nil) }
    return [train] + [validation].compactMap(\.self).filter { $0.files != train.files }
  }

  /// - Parameter side: of the split, where there is one; nil: all examples.
  private func files(_ files: DataFiles, side: ExampleSplit.Side?) -> ExampleFiles {
    ExampleFiles(
      files.files.map { file in
        ExampleFile(
          path: file.path.resolved, name: file.name ?? "", weight: file.weight,
          imageRoot: (file.imageRoot ?? data.imageRoot).resolved)
      },
      reader: data.exampleReader,
      split: side.flatMap { side in
        data.validationFraction.map {
          ExampleSplit(fraction: $0, seed: data.validationSeed ?? training.seed, side: side)
        }
      })
  }
}

extension RunConfiguration.Data {
  /// What reads the run's examples. Bad ones are left to the caller.
  package var exampleReader: ExampleReader {
    ExampleReader(
      imageRoot: imageRoot.resolved, confined: !allowOutside, policy: .skip, ids: ids, ignoredKeys: ignoredKeys.names,
      system: system)
  }

  /// How the run's images are decoded.
  package var imageReading: ImageReading {
    ImageReading(transparency: transparency, exifOrientation: exifOrientation, damaged: damagedImages)
  }
}

extension BaseModel {
  /// A builder of a run's samples.
  package func sampleBuilder(for run: RunConfiguration) throws -> SampleBuilder {
    try sampleBuilder(maxLength: run.data.maxLength, coordinates: run.data.coordinates)
  }
}
