// imagelora generate: one answer to a prompt with images.
import ArgumentParser
import Datasets
import Foundation

struct Generate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Generate one answer to a prompt with images, with or without an adapter.",
    discussion: """
      Each <image> in the prompt is the place of one image, in the order of the --image options. Without any <image> \
      the images come first. Pixel limits and variables of the chat template are the adapter's if it has them. Points and \
      boxes in the answer are in pixels of the resized image (Qwen2.5-VL) or in thousandths of its sides (the other families). \
      Decoding is greedy unless --temperature is given.

      Examples:
        imagelora generate --model Qwen2.5-VL-3B \\
          --image screen.png --prompt "Where is the search button?"
        imagelora generate --model Qwen3.5-4B --template enable_thinking=false --temperature 0.7 --top-p 0.8 \\
          --image screen.png --prompt "Where is the search button?"
        imagelora generate --model Qwen2.5-VL-3B --checkpoint best.h5 \\
          --image a.png --image b.png --prompt "<image>and<image>: compare"
      """)

  @OptionGroup var options: GenerationOptions
  @Option(
    help: ArgumentHelp(
      "An image (PNG, JPEG, WebP, GIF, BMP or TIFF); can be given several times.", valueName: "file"))
  var image: [String] = []
  @Option(help: "The question to the model.") var prompt: String

  func validate() throws {
    guard !prompt.isEmpty || !image.isEmpty else { throw ValidationError("--prompt is empty and there is no --image") }
    let places = prompt.components(separatedBy: "<image>").count - 1
    guard places == 0 || places == image.count else {
      throw ValidationError("the prompt has \(places) <image> but \(image.count) --image are given")
    }
  }

  func run() throws {
    try onFirstRank { _ = try Answering(options).answer(example) }
  }

  /// The prompt as an example without an answer.
  private var example: Example {
    let messages =
      (options.system.map { [Message(role: .system, content: [.text($0)])] } ?? [])
      + [Message(.user, placing: prompt, images: image.indices)]
    return Example(id: "prompt", line: 1, images: image.map { ImageSource.file($0) }, messages: messages)
  }
}
