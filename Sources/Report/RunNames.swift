// Names of runs in the page: from their folders, or from base and date where folders say nothing or clash.
import Files
import Foundation

/// What a run can be named by.
struct RunNaming {
  var folder: String
  /// The name of the base model's folder.
  var base: String
  /// When it was started, as sessions.jsonl has it.
  var started: String?
}

/// A name for each run, no two alike: the last telling part of its folder's path, or the last two where that part is
/// another's too; otherwise the base model and the date.
func runNames(_ runs: [RunNaming]) -> [String] {
  let parts = runs.map { tellingParts(of: $0.folder) }
  var taken = Set<ExactString>()
  return runs.indices.map { index in
    let own = parts[index]
    let length = (1...2).first { length in
      own.count >= length
        && parts.indices.allSatisfy { other in
          runs[other].folder.hasSameBytes(as: runs[index].folder)
            || !parts[other].suffix(length).elementsEqual(own.suffix(length))
        }
    }
    let name = length.map { own.suffix($0).map(\.text).joined(separator: "/") } ?? baseAndDate(runs[index])
    // What still clashes is numbered.
    var (result, number) = (name, 1)
    while taken.contains(ExactString(result)) {
      number += 1
      result = "\(name) (\(number))"
    }
    taken.insert(ExactString(result))
    return result
  }
}

/// The parts of a folder's path that can tell runs apart: without those that any run's folder may be named.
private func tellingParts(of folder: String) -> [ExactString] {
  let common: Set = ["checkpoint", "checkpoints", "out", "output", "outputs", "results", "run", "runs", "tmp"]
  return URL(fileURLWithPath: folder).standardizedFileURL.path.split(separator: "/").map(String.init)
    .filter { !common.contains($0.lowercased()) && !$0.hasPrefix("tmp.") }
    .map { ExactString($0) }
}

/// As `Qwen2.5-VL-3B, 2026-01-31 12:00`; the base alone where the date is not known.
private func baseAndDate(_ run: RunNaming) -> String {
  let started = run.started?.wholeMatch(of: /(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\dZ/)
  return run.base + (started.map { ", \($0.1) \($0.2)" } ?? "")
}

/// What the names of runs of one configuration share, without the seed: `lora` of `lora/seed-0` and `lora/seed-1`. Nil
/// where they share no whole words.
func sharedName(_ names: [String]) -> String? {
  guard let first = names.first else { return nil }
  let shared = names.dropFirst().reduce(first) { $0.commonPrefix(with: $1, options: .literal) }
  let separators: Set<Character> = ["/", "-", "_", ".", ",", " "]
  // A word of which a name has more is not shared.
  let isWhole =
    shared.last.map(separators.contains) ?? true
    || names.allSatisfy { $0.dropFirst(shared.count).first.map(separators.contains) ?? true }
  var words = shared.split(omittingEmptySubsequences: false) { separators.contains($0) }
  if !isWhole { words.removeLast() }
  while let last = words.last, last.isEmpty || ["seed", "s"].contains(last.lowercased()) { words.removeLast() }
  return words.last.map { String(shared[..<$0.endIndex]) }
}
