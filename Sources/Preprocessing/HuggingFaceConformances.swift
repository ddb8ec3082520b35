// A model folder's tokenizer and chat template as preprocessing takes them.
import HuggingFace

extension Tokenizer: TextEncoding {}
