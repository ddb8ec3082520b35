// What a checkpoint of these tests says of its run.
import Artifacts
import Preprocessing

extension RunIdentity {
  /// Of a run whose own file cannot be read any more.
  package static let tiny = RunIdentity(
    digest: "run", yaml: "not: [a run", seed: 9, worldSize: 2,
    provenance: AdapterProvenance(
      baseDigest: "base", templateDigest: "template", minPixels: 3136, maxPixels: 602_112, coordinates: .relative1000,
      reading: ImageReading()))
}
