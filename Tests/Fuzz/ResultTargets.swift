// What evaluations leave behind: predictions, places in answers.
import Evaluation
import Files

extension FuzzTarget {
  static let results: [FuzzTarget] = [
    FuzzTarget(
      name: "predictions", dictionary: "results", format: .jsonLines, seeds: { [Array(predictions.utf8)] },
      read: { bytes in
        let lines = try PredictionLine.read(WorkFolder.write("predictions.jsonl", bytes))
        let results = lines.map(\.result)
        _ = Metrics.table([("base", Metrics(results))])
        let groups = lines.map { $0.group ?? [:] }
        _ = EvaluationDocument(file: "rows.jsonl", leftOut: 0, groups: groups, [("base", results)])
        _ = lines.map { ($0.isRight, Region(parsing: $0.prediction ?? "")) }
      }),
    FuzzTarget(
      name: "replies", dictionary: "results", format: .jsonLines, seeds: { [Array(replies.utf8)] },
      read: { bytes in
        let path = WorkFolder.write("answers.jsonl.incomplete", bytes)
        let kept = try KeptReplies(beside: String(path.dropLast(".incomplete".count)), identity: "1")
        require(kept.replies.allSatisfy { $0.key == ExactString($0.value.id) }, "an answer under another row's id")
      }),
    FuzzTarget(
      name: "places", dictionary: "results", format: .bytes,
      seeds: {
        [
          "(12, 45)", "[1.5, 2, 30, 40]", #"{"point_2d": [3, 4], "label": "x"}"#, #"<point x="1" y="-2.5e1">"#,
          "<box>1 2 3 4</box>", "click(start_box='<|box_start|>(1,2),(3,4)<|box_end|>')", "x1=1, y1=2, x2=3, y2=4",
          #"```json\n[{"bbox_2d": [1, 2, 3, 4]}, {"bbox_2d": [5, 6, 7, 8]}]"#, "[[1, 2], [3, 4], [5, 6]]",
          "<bbox>1,2,3,4</bbox>",
        ].map { Array($0.utf8) }
      },
      read: { bytes in
        let text = String(decoding: bytes, as: UTF8.self)
        guard let place = Region(parsing: text) else { return }
        let center = place.center
        require(!center.x.isNaN && !center.y.isNaN, "a place that is nowhere")
        _ = isExactMatch(text, " \(text)")
      }),
  ]

  static let replies = #"""
    {"predict":"1"}
    {"finished":true,"group":{"split":"seen"},"id":"a","prediction":"(1, 2)","prompt":"Where?","reference":"(1, 2)"}
    {"finished":false,"id":"b","prediction":"\ud83d\ude00","prompt":""}
    """#

  static let predictions = #"""
    {"exact_match":true,"finished":true,"group":{"split":"seen"},"id":"a","likeliest_tokens":4,"model":"base","nll":1.5,"point_in_box":false,"prediction":"(1, 2)","prompt":"Where?","reference":"(1, 2)","tokens":4}
    {"id":"a","iou":0.75,"likeliest_tokens":0,"model":"adapted","nll":"Infinity","point_in_box":true,"prediction":"[1, 2, 3, 4]","reference":"[1, 2, 3, 5]","tokens":4}
    {"id":"b","likeliest_tokens":2,"model":"base","nll":"NaN","tokens":2}
    """#
}
