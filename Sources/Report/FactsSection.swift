// What was run on which data, so that a reader can find or repeat it.
import Artifacts
import Batches
import Formatting
import Foundation

/// A table of facts for each run, and its complete run file.
struct FactsSection {
  let runs: [ReportedRun]

  var body: Markup? {
    let blocks: [Markup] = runs.map { run in
      let rows: [Markup] = facts(run).map { "<tr><th scope=\"row\">\($0.name)</th><td>\($0.value)</td></tr>\n" }
      return """
        <details\(runs.count <= 2 ? " open" : "")><summary>\(breakable(run.name))</summary>
        <div class="scroll"><table class="facts"><tbody>\(rows)</tbody></table></div>
        <details><summary>run.yaml</summary><pre>\(run.run.yaml)</pre></details></details>

        """
    }
    return blocks.joined()
  }

  private func facts(_ run: ReportedRun) -> [(name: String, value: Markup)] {
    var facts: [(name: String, value: Markup)] = [("folder", "<code class=\"path\">\(breakable(run.folder))</code>")]
    func fact(_ name: String, _ value: String?) { if let value { facts.append((name, "\(value)")) } }
    func digest(_ name: String, _ value: String?) {
      if let value { facts.append((name, "<code class=\"digest\">\(value)</code>")) }
    }
    facts.append(("model", "<code class=\"path\">\(breakable(run.run.model.path.resolved))</code>"))
    digest("base digest", run.checkpoint?.provenance.baseDigest)
    digest("chat template digest", run.checkpoint?.provenance.templateDigest)
    digest("run digest", run.checkpoint?.runDigest)
    fact("image sizes", run.checkpoint.flatMap { pixels($0.provenance) })
    facts.append(("training examples", examples(run)))
    if let validation = run.run.data.validation {
      facts.append(("validation examples", "<code class=\"path\">\(breakable(validation.listing))</code>"))
    } else if let fraction = run.run.data.validationFraction {
      fact("validation examples", "\(fraction) of the training examples, set aside")
    }
    digest("validation digest", run.validationDigest)
    fact("batch", "\(plural(run.run.training.globalBatch, "example")) a step over all ranks")
    fact("seed", String(run.run.training.seed))
    fact("checkpoint", run.checkpoint.map(checkpoint))
    if run.sessions.isEmpty {
      fact("ranks", run.checkpoint.map { "\($0.worldSize), \(plural(run.run.model.threads, "thread")) each" })
      fact("precision", run.run.model.precision?.rawValue)
    }
    for (index, session) in run.sessions.enumerated() {
      fact(index == 0 ? "started" : "resumed", describe(session))
    }
    fact("written", run.checkpoint.flatMap { Self.date(of: $0.path) }.map { "\($0), the checkpoint" })
    return facts
  }

  private func pixels(_ provenance: AdapterProvenance) -> String? {
    guard let least = provenance.minPixels, let most = provenance.maxPixels else { return nil }
    return "\(grouped(least)) to \(grouped(most)) pixels"
  }

  private func examples(_ run: ReportedRun) -> Markup {
    let lengths = run.lengths.map {
      ": \(plural($0.count, "example")), \(fixed($0.mean(\.tokens), 1)) tokens on average, "
        + "\(fixed($0.mean(\.visual), 1)) of them visual"
    }
    return "<code class=\"path\">\(breakable(run.run.data.train.listing))</code>\(lengths ?? "")"
  }

  private func checkpoint(_ checkpoint: ReportedCheckpoint) -> String {
    let name = URL(fileURLWithPath: checkpoint.path).lastPathComponent
    return
      "\(name): step \(grouped(checkpoint.step)), \(plural(checkpoint.consumedExamples, "example")) seen, epoch \(checkpoint.epoch)"
  }

  private func describe(_ session: RunSession) -> String {
    let step = session.after_step > 0 ? " after step \(grouped(session.after_step))" : ""
    return
      "\(session.started)\(step) on \(plural(session.world_size, "rank")), \(plural(session.threads, "thread")) each; "
      + "\(session.precision); version \(session.version)"
  }

  private static func date(of path: String) -> String? {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    return (attributes?[.modificationDate] as? Date)?.formatted(.iso8601)
  }
}
