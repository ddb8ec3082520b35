import Testing

@testable import Digests

@Suite("SHA-256 equals the published vectors (FIPS 180-4)")
struct SHA256Tests {
  @Test func publishedVectors() {
    #expect(SHA256.hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    #expect(SHA256.hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  }

  @Test func piecesEqualTheWhole() {
    var digest = SHA256()
    digest.update("ab")
    digest.update("c")
    #expect(digest.finish() == SHA256.hex("abc"))
  }
}
