// The JSON parser itself, and the digest of documents.
import Digests
import Files

extension FuzzTarget {
  static let documents: [FuzzTarget] = [
    FuzzTarget(
      name: "json", dictionary: "json", format: .json,
      seeds: {
        try [
          "HuggingFaceTests/Resources/jinja-cases.json", "HuggingFaceTests/Resources/qwen3-vl/config.json",
          "HuggingFaceTests/Resources/scalar-kinds.json", "ParityTests/Resources/a/adapter/adapter_config.json",
          "ParityTests/Resources/a/model/tokenizer_config.json",
        ].map(Fixture.bytes)
          + ["[1, -0, 1e5, 0.5E-3, 9223372036854775807, \"\\ud83e\\udd99\\n\", null, true]"].map {
            Array($0.utf8)
          }
      },
      read: { bytes in
        let document = try JSON(parsing: bytes)
        let text = document.canonical
        let again = try JSON(parsing: Array(text.utf8))
        require(again.canonical.hasSameBytes(as: text), "canonical text is not that of what it says")
        try DocumentDigest.check(document, file: "document.json", again: "make it again")
        if case .object(let members) = document {
          let others = members.filter { ExactString($0.key) != DocumentDigest.key }
          let digest = JSON.Member(key: DocumentDigest.key.text, value: .string(DocumentDigest.of(document)))
          try DocumentDigest.check(.object(others + [digest]), file: "document.json", again: "make it again")
        }
      })
  ]
}
