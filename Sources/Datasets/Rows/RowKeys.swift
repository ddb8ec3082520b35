// The keys of a row, stated once: the reader, its errors and the table in docs/formats.md all come from here.
import Files

/// A key that a row's object may have.
package struct RowKey: Sendable {
  /// Which object of a row has the key.
  package enum Owner: String, Sendable, CaseIterable {
    case row, turn, image, objects

    /// The object in the table of the documentation.
    package var title: String {
      switch self {
      case .row: "the row"
      case .turn: "a turn, in `messages` or `conversations`"
      case .image: "an image, in `images` or a content part"
      case .objects: "`objects`"
      }
    }
  }

  /// What becomes of the key.
  package enum Use: Sendable {
    /// Read; what it means.
    case read(String)
    /// Read unless the run leaves it out, since rows of another form may have it to annotate; what it means.
    case readUnlessIgnored(String)
    /// It has a meaning that is not supported; what to do instead.
    case refused(String)
  }

  package let owner: Owner
  /// Names of the same meaning; at most one of them may be given.
  package let names: [String]
  package let use: Use

  private init(_ owner: Owner, _ names: [String], _ use: Use) {
    (self.owner, self.names, self.use) = (owner, names, use)
  }

  /// The keys of the forms without turns.
  static let pairs = ["instruction", "input", "output", "query", "response", "history"]
  /// The flags of loss under the names in use.
  static let lossFlags = ["loss", "loss_mask", "loss_weight", "loss_scale", "weight", "train"]
  /// An assistant's thoughts under the names in use.
  static let thoughts = ["reasoning_content", "reasoning", "thinking"]
  /// Where an image's bytes are, under the names in use.
  static let imageAddresses = ["image", "path", "url", "image_url", "base64"]
  /// The size of an image before the run's limits.
  static let imageSizes = ["min_pixels", "max_pixels", "resized_height", "resized_width"]

  /// Every key that is known.
  package static let all: [RowKey] = [
    RowKey(.row, ["id"], .read("name of the example; see `data.ids`")),
    RowKey(.row, ["images", "image"], .read("images for `<image>`, in order: one, or a list")),
    RowKey(.row, ["messages", "conversations"], .read("the turns")),
    RowKey(.row, ["system"], .read("text of a system turn before the others; an empty one counts as absent")),
    RowKey(
      .row, ["tools"], .read("a list, or a text that is one in JSON, for templates that render tools; others refuse it")
    ),
    RowKey(.row, ["objects"], .read("boxes and names for `<bbox>`, `<point>`, `<ref>`, `<ref-object>`")),
    RowKey(.row, ["group"], .read("groups for which `evaluate` reports separately")),
    RowKey(
      .row, ["answers"],
      .readUnlessIgnored("right answers, a list of texts, against which `evaluate` scores; the last turn is learned")),
    RowKey(
      .row, ["scorer"],
      .readUnlessIgnored(
        "how `evaluate` scores the answer: " + Scorer.allCases.map { "`\($0.rawValue)`" }.joined(separator: ", "))),
    RowKey(.row, ["videos", "video", "audios", "audio"], .refused("only images are supported; take the row out")),
    RowKey(
      .row, ["instruction"],
      .readUnlessIgnored("Alpaca's question, joined with `input` by a line break; `output` is its answer")),
    RowKey(.row, ["input"], .readUnlessIgnored("see `instruction`; may be absent or empty")),
    RowKey(.row, ["output"], .readUnlessIgnored("see `instruction`")),
    RowKey(.row, ["query"], .readUnlessIgnored("ms-swift's question; `response` is its answer")),
    RowKey(.row, ["response"], .readUnlessIgnored("see `query`")),
    RowKey(
      .row, ["history"], .readUnlessIgnored("earlier turns `[question, answer]` of these two forms, learned too")),
    RowKey(
      .row, ["prompt", "completion", "question", "answer", "text"], .refused("write the turns as \"messages\"")),
    RowKey(
      .row,
      [
        "chosen", "rejected", "rejected_response", "rejected_messages", "rejected_images", "label", "kto_tag", "margin",
      ],
      .refused("preferences are not supported; keep the answer that is to be learned in \"messages\"")),
    RowKey(.row, ["solution", "ground_truth", "reward_model"], .refused("rewards are not supported")),
    RowKey(.row, ["channel"], .refused("losses by channel are not supported")),
    RowKey(.turn, ["role", "from"], .read("`system`, `user` or `human`, `assistant` or `gpt`, `tool`")),
    RowKey(
      .turn, ["content", "value"], .read("a text, or a list of content parts; may be absent beside `tool_calls`")),
    RowKey(
      .turn, lossFlags, .read("0 or `false` leaves an answer out of the loss; weights other than 0 and 1 are refused")),
    RowKey(.turn, thoughts, .read("what an assistant thought before its answer: a text, for templates that render it")),
    RowKey(
      .turn, ["tool_calls"],
      .read(
        "an assistant's calls of tools: a list of `{\"name\", \"arguments\"}`, or of `{\"function\": ...}` with these")),
    RowKey(.turn, ["tool_call_id"], .read("of a tool's turn: the call that it answers")),
    RowKey(.turn, ["function_call"], .refused("write the call as \"tool_calls\"")),
    RowKey(.turn, ["refusal", "audio"], .refused("write the answer into \"content\"")),
    RowKey(.image, ["type"], .read("of a content part: `text`, `image` or `image_url`")),
    RowKey(.image, ["text"], .read("of a content part of type `text`")),
    RowKey(
      .image, imageAddresses,
      .read(
        "a path, `file://` or `data:image...;base64,`, `image_url` also as `{\"url\": ...}`; `base64` the bytes alone")),
    RowKey(.image, ["bytes"], .refused("write them as \"base64\", or as a file with its \"path\"")),
    RowKey(
      .image, ["min_pixels"], .read("fewest pixels of this image, as in qwen_vl_utils; the run's limits hold then")),
    RowKey(.image, ["max_pixels"], .read("most pixels of this image")),
    RowKey(.image, ["resized_height"], .read("size of this image before the run's limits, with `resized_width`")),
    RowKey(.image, ["resized_width"], .read("see `resized_height`")),
    RowKey(.image, ["detail"], .read("`auto` or `high`, which change nothing; `low` is refused: set limits of pixels")),
    RowKey(
      .image, ["video", "video_url", "audio", "input_audio", "fps", "nframes"], .refused("only images are supported")),
    RowKey(.objects, ["bbox", "boxes"], .read("boxes `[x1, y1, x2, y2]` or points `[x, y]`")),
    RowKey(.objects, ["bbox_type"], .read("`real` (pixels of the original image, the default), `norm1` or `norm1000`")),
    RowKey(.objects, ["image_id"], .read("the image of each box, from 0; all on the first where absent")),
    RowKey(
      .objects, ["width"], .read("width in which real boxes count, where it is not the image's: one, or one an image")),
    RowKey(.objects, ["height"], .read("height in which real boxes count, likewise")),
    RowKey(.objects, ["ref"], .read("names for `<ref>` and `<ref-object>`")),
  ]

  private static let table: [Owner: [ExactString: RowKey]] = Dictionary(
    grouping: all.flatMap { key in key.names.map { (owner: key.owner, name: ExactString($0), key: key) } },
    by: \.owner
  ).mapValues { entries in Dictionary(uniqueKeysWithValues: entries.map { ($0.name, $0.key) }) }

  /// The key of this name.
  static func known(_ name: String, of owner: Owner) -> RowKey? { table[owner]?[ExactString(name)] }

  /// The known key that is spelled most alike, over all objects of a row where this one has none.
  static func nearest(to name: String, of owner: Owner) -> String? {
    let own = all.filter { $0.owner == owner }.flatMap(\.names)
    return nearestName(to: name, among: own) ?? nearestName(to: name, among: all.flatMap(\.names))
  }

  /// Whether a reader may be told to ignore the key: one that it reads itself it must not.
  package static func mayIgnore(_ name: String) -> Bool {
    !all.contains { key in
      if case .read = key.use { key.names.contains { $0.hasSameBytes(as: name) } } else { false }
    }
  }

  /// The table of docs/formats.md.
  package static var markdown: String {
    var lines = ["| of | key | meaning |", "| --- | --- | --- |"]
    for owner in Owner.allCases {
      for key in all where key.owner == owner {
        let names = key.names.map { "`\($0)`" }.joined(separator: ", ")
        switch key.use {
        case .read(let meaning), .readUnlessIgnored(let meaning):
          lines.append("| \(owner.title) | \(names) | \(meaning) |")
        case .refused(let remedy): lines.append("| \(owner.title) | \(names) | refused: \(remedy) |")
        }
      }
    }
    return lines.joined(separator: "\n")
  }
}
