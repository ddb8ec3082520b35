// imagelora parity: every number of the model and the adapter on some rows, for comparison with another implementation.
import ArgumentParser
import Files
import Inspection
import QwenVL
import Tensors

struct Parity: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write ids, pixels, logits, losses, gradients and influence of some rows (HDF5).",
    discussion: """
      The file is compared rung by rung with one that another implementation wrote; see docs/numerics.md.

      References often cast a whole module to the weights' type, which rounds its rotary frequencies; transformers' \
      from_pretrained does not, and neither do training, evaluation and generation here. --rotary-frequencies says \
      which reference is followed; the two differ only for bf16 and fp16 checkpoints.
      """)

  @Option(help: "The base model's folder.") var model: String
  @Option(help: "Rows (JSON Lines); image paths are relative to its folder.") var data: String
  @Option(help: "A folder of imagelora export or a LoRA of PEFT; perhaps with probe.safetensors.") var adapter: String
  @Option(help: "The file to write.") var output: String
  @Option(help: "Seed of the rank-1 probe where the adapter's folder has none.") var seed: UInt64 = 0
  @Option(help: "Products with the weights in fp32 or bf16, whatever this processor is best at.")
  var precision: Precision = .float32
  @Option(help: "Follow a reference with its rotary frequencies rounded as-weights, or kept in float32.")
  var rotaryFrequencies: QwenVLModel<Float>.RotaryFrequencies = .asWeights

  func run() throws {
    try onRanks { communicator in
      guard communicator.rank == 0 else { return }
      try checkWritable(output)
      try writeParity(
        model: model, data: data, adapter: adapter, output: output, seed: seed, precision: precision,
        rotaryFrequencies: rotaryFrequencies)
      say("wrote \(output)")
    }
  }
}

extension QwenVLModel<Float>.RotaryFrequencies: ExpressibleByArgument {}
extension Precision: ExpressibleByArgument {}
