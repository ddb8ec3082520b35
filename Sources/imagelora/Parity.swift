// imagelora parity: all intermediate results of model and adapter on some examples, to compare with another
// implementation.
import ArgumentParser
import Files
import Inspection
import Tensors

struct Parity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write token ids, pixels, logits, losses, gradients and influence of some examples (HDF5).",
    discussion: """
      The file is for comparison, stage by stage, with one written by another implementation; see docs/numerics.md.
      """)

  @Option(help: "The base model's folder.") var model: String
  @Option(help: "The examples (JSON Lines or a JSON array); image paths are relative to the file's folder.") var data:
    String
  @Option(help: "An adapter folder of imagelora export or PEFT; may hold probe.safetensors.") var adapter: String
  @Option(help: "An adapter folder on value heads of linear attention (Qwen3.5), alone and beside --adapter.")
  var linearAdapter: String?
  @Option(help: "The parity file to write (HDF5).") var output: String
  @Option(help: "Seed of the rank-1 probe if the adapter folder has none.") var seed: UInt64 = 0
  @Option(help: "Compute precision of GEMMs with weights: fp32 or bf16, regardless of the processor.")
  var precision: Precision = .float32

  func run() throws {
    try onFirstRank {
      try checkWritable(output)
      try writeParity(
        model: model, data: data, adapter: adapter, linearAdapter: linearAdapter, output: output, seed: seed,
        precision: precision, warn: complain)
      say("wrote \(output)")
    }
  }
}

extension Precision: ExpressibleByArgument {}
