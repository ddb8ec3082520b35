// The program: one subcommand a file; Ranks.swift defines how ranks start, fail and end.
import ArgumentParser
import Artifacts
import Files
import Foundation
import Glibc

/// `imagelora`
@main
struct ImageLoRACommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "imagelora",
    abstract:
      "Fine-tune Qwen2-VL, Qwen2.5-VL, Qwen3-VL and Qwen3.5 with Image-LoRA: adapters on the values of visual tokens in a "
      + "few heads.",
    discussion: """
      Start with imagelora inspect on a model folder and on an example, then probe, train, evaluate and export.

      train, prepare, probe, evaluate, predict and plan --measure divide their work among ranks: mpirun -n 4 imagelora train run.yaml. \
      They start MPI only if the environment of a launcher (mpirun, srun) says that there are several processes; \
      without one they are one rank. Every other command never starts MPI: the first process works, the others end.
      """,
    version: versionText,
    subcommands: [
      PlanCommand.self, Train.self, Probe.self, Scores.self, Evaluate.self, Predict.self, Generate.self, Chat.self,
      Inspect.self, Report.self, Export.self, Parity.self, RowsCommand.self, Pack.self, Prepare.self,
    ])

  /// What the parser finds wrong with a command line passes through `printable` too: file names may stand in it.
  static func main() {
    if let unknown = unknownCommand() {
      complain(unknown)
      Glibc.exit(ExitStatus.badUsage)
    }
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let status = exitCode(for: error)
      guard !status.isSuccess else { exit(withError: error) }
      let message = fullMessage(for: error)
      if !message.isEmpty { FileHandle.standardError.write(Data((printable(message) + "\n").utf8)) }
      Glibc.exit(status.rawValue)
    }
  }

  /// The parser itself would only count what is too much.
  private static func unknownCommand() -> String? {
    guard let word = CommandLine.arguments.dropFirst().first, !word.hasPrefix("-") else { return nil }
    let known = configuration.subcommands.map { $0.configuration.commandName ?? "\($0)".lowercased() } + ["help"]
    guard !known.contains(word) else { return nil }
    let meant = nearestName(to: word, among: known).map { "did you mean \($0)?" } ?? "see imagelora --help"
    return "\(printable(word)): no such command; \(meant)"
  }
}
