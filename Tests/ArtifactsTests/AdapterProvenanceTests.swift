import Files
import HuggingFace
import Preprocessing
import Testing

@testable import Artifacts

@Suite("What an adapter must be used with is compared once, in one wording")
struct AdapterProvenanceTests {
  let used = AdapterProvenance(
    baseDigest: "bbbb", templateDigest: "tttt", minPixels: 3136, maxPixels: 12544, coordinates: .pixels)

  private func problem(_ trained: AdapterProvenance, _ parts: Set<AdapterProvenance.Part>) -> String? {
    do throws(FileError) {
      try trained.requireMatch(used, of: parts, folder: "M", file: "C.h5") { "\($0)=\($1)" }
      return nil
    } catch { return error.description }
  }

  @Test("an adapter is refused with every difference and how to fix it")
  func everyDifference() {
    let other = AdapterProvenance(
      baseDigest: "xxxx", templateDigest: "yyyy", minPixels: 784, maxPixels: 12544, coordinates: .relative1000)
    #expect(
      problem(other, Set(AdapterProvenance.Part.allCases))
        == "C.h5: the adapter was trained with a different base model (base_digest xxxx, that of M is bbbb): give the base "
        + "that it was trained on; a different chat template (chat_template_digest yyyy, that of M is tttt): put the "
        + "template of the training into that folder; a different min_pixels (784, here 3136): set "
        + "model.min_pixels=784; different coordinates (relative_1000, here pixels): set data.coordinates=relative_1000"
    )
    #expect(problem(other, []) == nil)
    #expect(problem(other, [.imageLimits])?.contains("base model") == false)
  }

  @Test("images that were decoded otherwise are a difference; versions that did not say so dropped the alpha")
  func reading() {
    let parts = Set(AdapterProvenance.Part.allCases)
    var trained = AdapterProvenance(baseDigest: "bbbb", reading: ImageReading(exifOrientation: .apply))
    var used = used
    (used.transparency, used.exifOrientation) = (.drop, .ignore)
    func differences(_ trained: AdapterProvenance) -> String? {
      do throws(FileError) {
        try trained.requireMatch(used, of: parts, folder: "M", file: "C.h5")
        return nil
      } catch { return error.description }
    }
    #expect(
      differences(trained)
        == "C.h5: the adapter was trained with a different transparency (white, here drop): set data.transparency: white "
        + "in the run file; a different exif_orientation (apply, here ignore): set data.exif_orientation: apply in the "
        + "run file")
    (trained.transparency, trained.exifOrientation) = (nil, nil)
    #expect(differences(trained) == nil && differences(trained.ofItsVersion) == nil)
    #expect(trained.ofItsVersion.transparency == .drop && AdapterProvenance().ofItsVersion == AdapterProvenance())
  }

  @Test("variables of the template are compared where both sides state a template; none stated are none")
  func variables() throws {
    let parts = Set(AdapterProvenance.Part.allCases)
    let off = try #require(TemplateVariables([("enable_thinking", .bool(false))]))
    func differences(_ trained: TemplateVariables?, _ here: TemplateVariables?, digest: String? = "tttt") -> String? {
      let trained = AdapterProvenance(templateDigest: digest, templateVariables: trained)
      do throws(FileError) {
        try trained.requireMatch(
          AdapterProvenance(templateDigest: "tttt", templateVariables: here), of: parts, folder: "M", file: "C.h5")
        return nil
      } catch { return error.description }
    }
    #expect(differences(nil, nil) == nil && differences(off, off) == nil && differences(nil, off, digest: nil) == nil)
    #expect(
      differences(off, nil)
        == #"C.h5: the adapter was trained with different variables of the chat template ({"enable_thinking":false}, here "#
        + #"none): set model.template: {"enable_thinking":false} in the run file"#)
    #expect(
      differences(nil, off)
        == #"C.h5: the adapter was trained with different variables of the chat template (none, here "#
        + #"{"enable_thinking":false}): set none"#)
  }

  @Test("all bytes of the base are compared where both sides know their digest")
  func fullDigests() {
    let parts = Set(AdapterProvenance.Part.allCases)
    var (trained, used) = (used, used)
    func differences() -> String? {
      do throws(FileError) {
        try trained.requireMatch(used, of: parts, folder: "M", file: "C.h5")
        return nil
      } catch { return error.description }
    }
    used.baseFullDigest = "2222"
    #expect(differences() == nil)
    trained.baseFullDigest = "2222"
    #expect(differences() == nil)
    trained.baseFullDigest = "1111"
    #expect(
      differences()
        == "C.h5: the adapter was trained with a base model with other bytes (base_full_digest 1111, that of M is 2222; a "
        + "sample of them is the same): give the base that it was trained on")
    used.baseFullDigest = nil
    #expect(differences() == nil)
  }

  @Test("what one side does not say is not compared")
  func silence() {
    #expect(problem(used, Set(AdapterProvenance.Part.allCases)) == nil)
    #expect(problem(AdapterProvenance(), Set(AdapterProvenance.Part.allCases)) == nil)
  }
}
