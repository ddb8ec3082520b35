// imagelora chat: a conversation with images, line by line.
import ArgumentParser
import Datasets
import Files
import Foundation
import Glibc

struct Chat: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talk with a model, with or without an adapter: each line is a message.",
    discussion: """
      Each line of standard input is a message, each answer goes to standard output. Lines that begin with a slash are \
      orders:

        /image FILE   the next message has this image, before its text or in the place of its next <image>
        /clear        begin a new conversation
        /quit         end, as does the end of the input

      Pixel limits and variables of the chat template are the adapter's if it has them. Decoding is greedy unless \
      --temperature is given.

      Examples:
        imagelora chat --model Qwen2.5-VL-3B --checkpoint best.h5
        printf '/image a.png\\nWhat is this?\\nAnd where?\\n' | imagelora chat --model Qwen2.5-VL-3B
      """)

  @OptionGroup var options: GenerationOptions

  func run() throws {
    try onFirstRank {
      let answering = try Answering(options)
      var talk = Talk(system: options.system)
      while let line = next() {
        switch line {
        case "/quit": return
        case "/clear": talk = Talk(system: options.system)
        case _ where line.hasPrefix("/image "):
          talk.waiting.append(line.dropFirst("/image ".count).trimmingCharacters(in: .whitespaces))
        case _ where line.hasPrefix("/"):
          complain("\(line): no such order; there are /image FILE, /clear and /quit")
        case "": break
        default: try answer(line, in: &talk, answering)
        }
      }
    }
  }

  /// The next line without white space around it; nil at the end of the input.
  private func next() -> String? {
    if isatty(STDIN_FILENO) == 1, isTerminal {
      print("> ", terminator: "")
      fflush(nil)
    }
    return readLine()?.trimmingCharacters(in: .whitespaces)
  }

  /// Answers a message; one that cannot be answered is taken back, and said.
  private func answer(_ text: String, in talk: inout Talk, _ answering: Answering) throws {
    var asked = talk
    do {
      try asked.say(text)
      asked.messages.append(Message(role: .assistant, content: [.text(try answering.answer(asked.example))]))
    } catch  where ExitStatus.of(error) == ExitStatus.badInput {
      complain("\(error)")
      talk.waiting = []
      return
    }
    talk = asked
  }
}

/// A conversation so far.
private struct Talk {
  var messages: [Message]
  var images: [ImageSource] = []
  /// Images of the next message.
  var waiting: [String] = []

  init(system: String?) { messages = system.map { [Message(role: .system, content: [.text($0)])] } ?? [] }

  /// Adds the user's message with the images that wait for it.
  mutating func say(_ text: String) throws {
    let places = text.components(separatedBy: "<image>").count - 1
    guard places == 0 || places == waiting.count else {
      throw FileError(
        "message", "has \(places) <image> but \(waiting.count) images wait", remedy: "give /image FILE for each")
    }
    let first = images.count
    images += waiting.map { ImageSource.file($0) }
    waiting = []
    messages.append(Message(.user, placing: text, images: first..<images.count))
  }

  var example: Example { Example(id: "message", line: 1, images: images, messages: messages) }
}
