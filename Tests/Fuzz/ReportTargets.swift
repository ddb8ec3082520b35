// A run's folder as `report` and a resumed run read it: run.yaml, metrics, sessions, predictions; and its lock.
import Artifacts
import Files
import Report

extension FuzzTarget {
  private static let files = ["run.yaml", "metrics.jsonl", "sessions.jsonl", "predictions.jsonl"]
  private static let metrics = #"""
    {"step":0,"validation_loss":2.5,"validation_rows":3,"validation_tokens":30,"validation_exact_match":0.5}
    {"compute_seconds":0.5,"grad_norm":0.1,"learning_rate":0.001,"loss":2.5,"reduce_seconds":0.01,"rows":8,"step":1,"tokens":90}
    {"compute_seconds":0.4,"grad_norm":NaN,"learning_rate":0.001,"loss":"inf","reduce_seconds":0.02,"rows":8,"step":2,"tokens":91}
    {"step":2,"validation_accuracy":0.5,"validation_loss":2.25,"validation_rows":3,"validation_tokens":30,"utilization":0.5}
    {"step":3,"validation_loss":2.0,"validation_rows":3,"validation_tokens":30,"validation_exact_match":0.25}
    """#

  static let reports: [FuzzTarget] = [
    FuzzTarget(
      name: "report", dictionary: "results",
      format: .files([files[0]: .bytes, files[1]: .jsonLines, files[2]: .jsonLines, files[3]: .jsonLines]),
      seeds: {
        let run = "model: {path: M}\ndata: {train: Tests/ParityTests/Resources/a/data.jsonl}\ntraining: {steps: 3}\n"
        let session =
          #"{"after_step":0,"precision":"fp32","started":"2026-01-31T12:00:00Z","threads":1,"version":"0.2.0","world_size":2}"#
        return [
          FilesInput([
            (files[0], Array(run.utf8)), (files[1], Array(metrics.utf8)), (files[2], Array(session.utf8)),
            (files[3], Array(predictions.utf8)),
          ]).bytes,
          FilesInput([(files[0], Array(run.utf8)), (files[1], Array(metrics.utf8))]).bytes,
        ]
      },
      read: { bytes in
        WorkFolder.replace(FilesInput(bytes, names: files).files)
        let page = try ReportPage(folders: [WorkFolder.path], predictions: [], title: nil, examples: 2)
        require(page.html.utf8.count > 1000, "a page without contents")
      }),
    FuzzTarget(
      name: "metrics", dictionary: "results", format: .jsonLines, seeds: { [Array(metrics.utf8)] },
      read: { bytes in
        WorkFolder.write(MetricsFile.name, bytes)
        var entry = MetricsEntry(step: 2)
        entry.validation_loss = 1
        let file = try MetricsFile(directory: WorkFolder.path, after: 2, history: [entry], validationRepeats: true)
        try file.append(MetricsEntry(step: 3))
      }),
    FuzzTarget(
      name: "lock", dictionary: "results", format: .json,
      seeds: {
        [
          Array(
            #"{"boot":"b","host":"node7","job":"slurm 12","process":1,"restarts":0,"started":"2026-01-31T12:00:00Z","token":"t"}"#
              .utf8)
        ]
      },
      read: { bytes in
        WorkFolder.write("run.lock", bytes)
        _ = Refusal.allowing { try FolderLock(folder: WorkFolder.path, takesOver: false) }
        _ = try FolderLock(folder: WorkFolder.path, takesOver: true)
      }),
  ]
}
