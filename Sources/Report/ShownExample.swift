// One example in the page: its images, its question and the answers.
import Evaluation
import Formatting
import Foundation

/// An example, its right answer and the models' answers.
struct ShownExample {
  struct Answer {
    var name: String
    var colour: Int
    var text: String
    var isRight: Bool?
  }

  var id: String
  var question: String
  var reference: String
  var answers: [Answer]
  var images: [ImageFigure]
  /// Maximum lengths of texts, in characters.
  static let longest = 160
  static let longestAnswer = 80

  var figure: Markup {
    let lines: [Markup] = answers.map { answer in
      let mark: Markup? = answer.isRight.map {
        $0 ? "<b class=\"right\" title=\"right\">✓</b>" : "<b class=\"wrong\" title=\"wrong\">✗</b>"
      }
      let text = answer.text.isEmpty ? "(nothing)" : shortened(answer.text, to: Self.longestAnswer)
      return """
        <dt><span class="key s\(answer.colour % LineChart.colours)"></span>\(breakable(answer.name))</dt><dd>\(mark) \(text)</dd>
        """
    }
    return """
      <figure class="example"><div class="images">\(images.map(\.svg))</div><figcaption><p>\(shortened(question, to: Self.longest))</p>\
      <dl><dt>right answer</dt><dd>\(shortened(reference, to: Self.longestAnswer))</dd>\(lines)</dl>\
      <small>\(shortened(id, to: 80))</small></figcaption></figure>

      """
  }
}

/// The last turn of a rendered prompt before the answer's, as it stands there; all of a prompt without turns.
func lastTurn(ofPrompt prompt: String) -> Substring {
  let mark = "<|im_end|>"
  guard let end = prompt.range(of: mark, options: [.backwards, .literal])?.lowerBound else { return prompt[...] }
  let start = prompt[..<end].range(of: mark, options: [.backwards, .literal])?.upperBound
  return prompt[(start ?? prompt.startIndex)..<end]
}

/// The question of a rendered prompt: the last turn before the answer, without the template's special tokens.
func question(ofPrompt prompt: String) -> String {
  // Turns end in <|im_end|>; the last piece is the header of the answer's turn.
  let turns = prompt.split(separator: "<|im_end|>")
  let turn = turns.count > 1 ? turns[turns.count - 2] : Substring(prompt)
  var text = String(turn).replacing(/<\|[^|<>]{1,40}\|>/, with: "")
  for role in ["user\n", "system\n"] {
    let trimmed = text.drop { $0.isWhitespace }
    if trimmed.hasPrefix(role) {
      text = String(trimmed.dropFirst(role.count))
      break
    }
  }
  return text.trimmingCharacters(in: .whitespacesAndNewlines)
}
