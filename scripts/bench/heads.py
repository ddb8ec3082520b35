#!/usr/bin/env python3
"""KV heads that both sides of a comparison adapt: one head in every second layer, taking turns.

heads.py MODEL        the selection as imagelora reads it (adapter.heads.file)
"""

import json
import sys
from pathlib import Path


def selected(layers, kv_heads):
    """Heads by adapted layer."""
    return {layer: [layer // 2 % kv_heads] for layer in range(0, layers, 2)}


def main(model):
    config = json.loads((Path(model) / "config.json").read_text())
    text = config.get("text_config", config)
    heads = selected(text["num_hidden_layers"], text["num_key_value_heads"])
    print(json.dumps({"method": "even", "kv_indices": {str(layer): some for layer, some in heads.items()}}))


if __name__ == "__main__":
    main(sys.argv[1])
