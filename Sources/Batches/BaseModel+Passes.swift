// A unit through the model: its rows' losses, and the gradients that an adapter takes on the way back.
import QwenVL
import Tensors

/// The loss of one row of data.
package struct RowLoss: Sendable, Equatable, Codable {
  /// Sum of the negative log-likelihoods of its supervised tokens.
  package var nll: Double
  /// How many there are, and how many of them are the most likely one.
  package var tokens, likeliest: Int
}

extension BaseModel {
  /// Losses of a unit's rows.
  package func loss(_ unit: UnitInput, adapter: (any ProjectionAdapter<Float>)?) -> [RowLoss] {
    loss(unit, hidden: hidden(unit, adapter: adapter))
  }

  /// The same from the normed hidden states of the unit's output rows, `[outputs, H]`.
  package func loss(_ unit: UnitInput, hidden: Matrix<Float>) -> [RowLoss] {
    rowLosses(unit, model.head.loss(hidden, targets: unit.targets))
  }

  /// Normed hidden states of the unit's output rows, `[outputs, H]`.
  package func hidden(_ unit: UnitInput, adapter: (any ProjectionAdapter<Float>)?) -> Matrix<Float> {
    forward(unit, adapter: adapter, keepTapes: .none).hidden
  }

  /// Losses of a unit's rows; the adapter takes the gradient of the sum of all their tokens' NLL.
  /// - Parameter activationBytes: how much forward may keep for backward besides the layers' inputs; see `TapePolicy`.
  package func lossAndGradient(
    _ unit: UnitInput, adapter: any ProjectionAdapter<Float>, activationBytes: Int = .max
  ) -> [RowLoss] {
    let pass = forward(unit, adapter: adapter, keepTapes: .forBackward(maximumBytes: activationBytes))
    let (losses, dHidden) = model.head.lossAndGradient(pass.hidden, targets: unit.targets)
    model.decoder.backward(dHidden, pass: pass, adapter: adapter)
    return rowLosses(unit, losses)
  }

  private func forward(
    _ unit: UnitInput, adapter: (any ProjectionAdapter<Float>)?, keepTapes: TapePolicy
  ) -> Decoder<Float>.Pass {
    precondition(
      unit.decoderInput.earlier == nil || adapter?.tokens != .all, "the unit was made for an adapter of visual tokens")
    return model.decoder.forward(
      unit.decoderInput, outputRows: unit.outputRows, adapter: adapter, keepTapes: keepTapes)
  }

  private func rowLosses(_ unit: UnitInput, _ tokens: [(nll: Double, isLikeliest: Bool)]) -> [RowLoss] {
    var losses = Array(repeating: RowLoss(nll: 0, tokens: 0, likeliest: 0), count: unit.rowCount)
    for (row, token) in zip(unit.rowOfOutput, tokens) {
      losses[row].nll += token.nll
      losses[row].tokens += 1
      losses[row].likeliest += token.isLikeliest ? 1 : 0
    }
    return losses
  }
}
