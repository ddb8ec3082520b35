// Chat templates: parsed, and rendered within their budgets.
import Files
import HuggingFace

extension FuzzTarget {
  private static let templateFiles = [
    "chat_template.jinja", "chat_template.json", "processor_config.json", "tokenizer_config.json",
  ]

  static let templates: [FuzzTarget] = [
    FuzzTarget(
      name: "template", dictionary: "jinja", format: .bytes,
      seeds: {
        let cases = try Fixture.json("HuggingFaceTests/Resources/jinja-cases.json").elements.map { $0.elements[0].text }
        let expressions = try Fixture.json("HuggingFaceTests/Resources/jinja-expressions.json").elements
          .map { "{{ \($0.elements[0].text) }}" }
        let whole = try Fixture.json("HuggingFaceTests/Resources/qwen2.5-vl/chat_template.json")["chat_template"]?.text
        let texts = (cases + expressions + [whole ?? ""]).map { Array($0.utf8) }
        return try texts
          + ["qwen3-vl/chat_template", "qwen3-vl-thinking/chat_template", "qwen3.5/chat_template_think"].map {
            try Fixture.bytes("HuggingFaceTests/Resources/\($0).jinja")
          }
      },
      read: { bytes in
        WorkFolder.write("chat_template.jinja", bytes)
        try render(ChatTemplate(folder: WorkFolder.path))
        for variables in variables {
          _ = Refusal.allowing { try render(ChatTemplate(folder: WorkFolder.path, variables: variables)) }
        }
      }),
    FuzzTarget(
      name: "template-files", dictionary: "jinja",
      format: .files([
        "chat_template.jinja": .bytes, "chat_template.json": .json, "processor_config.json": .json,
        "tokenizer_config.json": .json,
      ]),
      seeds: {
        let settings = try Fixture.bytes("HuggingFaceTests/Resources/qwen2.5-vl/tokenizer_config.json")
        let named =
          #"{"bos_token": {"content": "<s>"}, "chat_template": [{"name": "default", "template": "{{ bos_token }}"}]}"#
        return [
          FilesInput([
            ("chat_template.json", try Fixture.bytes("HuggingFaceTests/Resources/qwen2.5-vl/chat_template.json")),
            ("tokenizer_config.json", settings),
          ]).bytes,
          FilesInput([("tokenizer_config.json", Array(named.utf8))]).bytes,
          FilesInput([
            ("processor_config.json", Array(#"{"chat_template": "{{ messages[0].content }}"}"#.utf8)),
            ("chat_template.jinja", Array("{{ messages|length }}".utf8)),
          ]).bytes,
        ]
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: templateFiles).files)
        try render(ChatTemplate(folder: WorkFolder.path))
      }),
  ]

  private static let variables = [
    TemplateVariables([("enable_thinking", .bool(false))]),
    TemplateVariables([("add_vision_id", .integer(1)), ("x", .text("'"))]),
  ].compactMap(\.self)

  private static func render(_ template: ChatTemplate) throws {
    let call = JSON.object([
      .init(key: "name", value: .string("f")),
      .init(key: "arguments", value: .object([.init(key: "x", value: .number(0.5))])),
    ])
    let messages: [ChatTemplate.Message] = [
      .init(role: "system", content: [.text("Be brief.")]),
      .init(role: "user", content: [.image, .text("Where is ä\u{301} 'x'?\n"), .image]),
      .init(role: "assistant", content: [.text("(1, 2)")], thoughts: "so\n"), .init(role: "user", content: []),
      .init(role: "assistant", content: [], toolCalls: [call]),
      .init(role: "tool", content: [.text("3")], callID: "1"),
    ]
    let tool = JSON.object([.init(key: "name", value: .string("f")), .init(key: "n", value: .integer(.min))])
    let limit = 64 << 20
    for (tools, prompts, thinking) in [([], true, nil), ([tool], false, true), ([], true, false)]
      as [([JSON], Bool, Bool?)]
    {
      let text = Refusal.allowing {
        try template.render(messages, tools: tools, addGenerationPrompt: prompts, thinking: thinking)
      }
      require(text?.utf8.count ?? 0 <= limit, "a template printed more than its limit")
    }
  }
}
