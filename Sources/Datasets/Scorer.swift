// How generated answers are scored where equality is too strict: a row's or a run's choice.

/// A score of a generated answer against the right ones; `Evaluation` computes it.
package enum Scorer: String, Sendable, Codable, CaseIterable {
  /// Equal but for whitespace at the ends.
  case exactMatch = "exact_match"
  /// Equal but for case, punctuation, articles and whitespace, as SQuAD normalizes answers.
  case normalizedExactMatch = "normalized_exact_match"
  /// The accuracy of VQA v2 and TextVQA over the answers of several people.
  case vqaAccuracy = "vqa_accuracy"
  /// Average normalized Levenshtein similarity, of DocVQA and InfographicVQA.
  case anls
  /// The number behind `####`, or else the last one, as GSM8K is scored.
  case finalNumber = "final_number"

  /// What it is called in tables.
  package var words: String {
    switch self {
    case .exactMatch: "exact match"
    case .normalizedExactMatch: "normalized exact match"
    case .vqaAccuracy: "VQA accuracy"
    case .anls: "ANLS"
    case .finalNumber: "final number"
    }
  }
}
