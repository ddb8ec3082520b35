// Patterns of Python's `re`: each expectation is what re.fullmatch of Python 3.11 says.
import Testing

@testable import HuggingFace

@Suite("Regular expressions of PEFT's configurations")
struct PEFTPatternTests {
  private let names = [
    "t": "model.language_model.layers.12.self_attn.q_proj", "v": "model.visual.blocks.0.attn.qkv",
    "s": "model.layers.3.self_attn.o_proj",
  ]

  @Test(
    "whole names are matched as Python matches them",
    arguments: [
      (#".*\.q_proj"#, "t"),
      (#"q_proj"#, ""),
      (#".*q_proj$"#, "t"),
      (#"^model\.(?!visual).*"#, "ts"),
      (#".*(?:q|k)_proj|.*qkv"#, "tv"),
      (#".*\.layers\.(1[0-9]|2)\..*"#, "t"),
      (#".*\.\d+\..*"#, "tvs"),
      (#".*\.\d{2}\..*"#, "t"),
      (#".*\.\d{,1}\..*"#, "vs"),
      (#".*\.\d{1,}\..*"#, "tvs"),
      (#".*\.\d{2,3}?\..*"#, "t"),
      (#".*\blayers\b.*"#, "ts"),
      (#".*\bself\b.*"#, ""),
      (#".*\Bself\B.*"#, ""),
      (#".*\blanguage_model\b.*\Bproj"#, "t"),
      (#"[^.]+(\.[^.]+)*"#, "tvs"),
      (#"[\w.]+"#, "tvs"),
      (#"[a-z_.0-9]*"#, "tvs"),
      (#"[a-z_.]*"#, ""),
      (#"[]a-z_.\d-]+"#, "tvs"),
      (#"[.-_]+"#, ""),
      (#"\Amodel\..*\Z"#, "tvs"),
      (#"(?P<root>model)\.(visual|layers)\..*"#, "vs"),
      (#"(?:(?:a|b|[^ab])*)*"#, "tvs"),
      (#".*(?<=self_)attn.*"#, "ts"),
      (#".*(?<!self_)attn.*"#, "v"),
      (#".*layers(?=\.3\.).*"#, "s"),
      (#".*layers\.(?=\d\.)\d.*"#, "s"),
      (#"model(?#the root)\..*"#, "tvs"),
      (#".*{.*"#, ""),
      (#".*x{}.*"#, ""),
      (#"model\.l.*?\.self_attn\.[qkvo]_proj"#, "ts"),
      (#"MODEL.*"#, ""),
      (#""#, ""),
      (#".*|"#, "tvs"),
      (#"(.*)(.*)(.*)_proj"#, "ts"),
      (#"(a|model|mod)(el)?\..*"#, "tvs"),
      (#"(?=.*visual)(?=.*qkv).*"#, "v"),
      (#".*[qk]_proj+"#, "t"),
      (#".*\.layers\.[0-9]*[02468]\..*"#, "t"),
      (#"(\w+\.?)+"#, "tvs"),
      (#".*\.self_attn\.(q_proj|v_proj)\b.*"#, "t"),
      (#"model\.(?:language_model\.)?layers\..*"#, "ts"),
      (#"\w*\W\w*\W.*"#, "tvs"),
      (#".*\S\s*"#, "tvs"),
      (#".{46,47}"#, "t"),
      (#"[\^m]odel.*"#, "tvs"),
      (#"[^\d]*"#, ""),
      (#".*[\]\-\\]?"#, "tvs"),
    ])
  func matches(pattern: String, expected: String) throws {
    let read = try PEFTPattern(pattern)
    let found = try names.filter { try read.matches($0.value) }.keys.sorted()
    #expect(found == expected.map { "\($0)" }.sorted(), "\(pattern)")
  }

  @Test(
    "what Python refuses, and what is not read, is refused",
    arguments: [
      "(?i)model", "(a", "a)", "*a", "a**", "a*+", "a{2}{3}", "a{3,2}", "(?>a)", #"(a)\1"#, "(?P<a>x)(?P=a)", "[a",
      "[z-a]", #"[\d-z]"#, #"\p{L}"#, #"\Qa\E"#, #"\z"#, "(?<name>a)", "(?<=a|bc)d", "(?<=a*)b", "\\", #"\x41"#, "^*",
      "{2}a", "(?#x", "(?(1)a|b)", "a{1001}", "\u{E9}", #"\b+"#, #"[\b]"#, "[]", "[^]", "(?P<1>a)", "(?P<>a)", "(?",
      String(repeating: "(", count: 5000),
    ])
  func refuses(pattern: String) { #expect(throws: PEFTPattern.Problem.self) { _ = try PEFTPattern(pattern) } }

  @Test("patterns that make other engines try for ever end at once")
  func hostile() throws {
    let name = String(repeating: "a", count: 60) + "!"
    for pattern in [
      "(a*)*b", "(a|a)*b", "(a|aa)+$", "(.*)(.*)(.*)(.*)(.*)x", "((a{1,30}){1,30}){1,30}b", "(a?){1000}b",
    ] {
      #expect(try PEFTPattern(pattern).matches(name) == false)
    }
    let nested = String(repeating: "(a?", count: 30) + String(repeating: "){1,900}", count: 30) + "b"
    let clock = ContinuousClock()
    let time = clock.measure { _ = try? PEFTPattern(nested).matches(name) }
    #expect(time < .seconds(20))
  }

  /// A pattern that is just within the bound for one name is not matched with hundreds of them.
  @Test func effortOfAllNames() throws {
    let pattern = try PEFTPattern("(?:(?:.?){1000}){100}q_proj")
    var effort = PEFTEffort()
    #expect(try pattern.matches("model.layers.0.self_attn.q_proj", &effort))
    let (once, limit) = (effort.steps, PEFTEffort.limit)
    #expect((100_000..<1_000_000).contains(once))
    var names = 1
    #expect(throws: PEFTPattern.Problem(text: "is too complex")) {
      while names < 1000 {
        _ = try pattern.matches("model.layers.\(names).self_attn.v_proj", &effort)
        names += 1
      }
    }
    #expect(names <= limit / 100_000 && effort.steps < limit + 1_000_000)
  }
}

extension PEFTPattern {
  /// For one name alone.
  fileprivate func matches(_ name: String) throws(Problem) -> Bool {
    var effort = PEFTEffort()
    return try matches(name, &effort)
  }
}
