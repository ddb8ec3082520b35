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
    try MeasuredExamples(data.train.resolved, reader: data.exampleReader, samples: samplesWithoutWeights())
  }

  /// Memory for saved activations in addition to the layers' inputs, in bytes.
  package var activationBytes: Int { training.activationMemoryMiB.map { $0 << 20 } ?? .max }

  /// Examples of different images in one pass.
  package var examplesPerPass: Int { training.microBatch ?? 1 }
}

extension RunConfiguration.Data {
  /// What reads the run's examples. Bad ones are left to the caller.
  package var exampleReader: ExampleReader {
    ExampleReader(
      imageRoot: imageRoot.resolved, confined: !allowOutside, policy: .skip, ids: ids, ignoredKeys: ignoredKeys.names)
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
