public struct ChatTemplate: Sendable { public let digest = "x"
  public struct Message { public enum Part { case text(String), image }; public var role: String; public var content: [Part]
    public init(role: String, content: [Part]) { self.role = role; self.content = content } }
  public init(folder: String) throws {}
  public func render(_ m: [Message], addGenerationPrompt: Bool) throws -> String {
    var s = m.first?.role != "system" ? "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n" : ""
    for x in m { s += "<|im_start|>\(x.role)\n" + x.content.map { p in if case .text(let t) = p { return t }; return "<|vision_start|><|image_pad|><|vision_end|>" }.joined() + "<|im_end|>\n" }
    return s + (addGenerationPrompt ? "<|im_start|>assistant\n" : "") } }
