#!/usr/bin/env python3
"""Trains the quickstart's small Qwen2.5-VL from nothing on pages of the light look and writes it as a Hugging Face folder.

    train_base.py --tokenizer QWEN2.5-VL-FOLDER --pages light.npz --validation light-val.npz dusk-val.npz --output data/model
"""
import argparse, json, math, os, random, shutil, time
import torch
import torch.nn.functional as F
from corpus import BEFORE, SPECIAL, Corpus, cut_tokenizer, to_patches
from pages import COLORS, KINDS, WORDS, texts
from qwen25vl import QwenVL


def configuration(vocabulary_size, ids, a):
    """config.json in the flat form of the released checkpoints."""
    half = a.hidden // a.heads // 2
    sections = [half // 4, (half - half // 4) // 2, half - half // 4 - (half - half // 4) // 2]
    return {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"], "model_type": "qwen2_5_vl", "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"], "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"], "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"], "image_token_id": ids["<|image_pad|>"], "video_token_id": ids["<|video_pad|>"],
        "hidden_act": "silu", "hidden_size": a.hidden, "intermediate_size": a.intermediate, "num_attention_heads": a.heads,
        "num_hidden_layers": a.layers, "num_key_value_heads": a.kv_heads, "max_position_embeddings": 4096, "rms_norm_eps": 1e-6,
        "rope_theta": a.rope_theta, "rope_scaling": {"type": "mrope", "mrope_section": sections}, "tie_word_embeddings": True,
        "use_sliding_window": False, "vocab_size": vocabulary_size, "torch_dtype": "bfloat16",
        "vision_config": {
            "depth": a.vision_depth, "hidden_act": "silu", "hidden_size": a.vision_hidden, "intermediate_size": a.vision_intermediate,
            "num_heads": 4, "in_chans": 3, "out_hidden_size": a.hidden, "patch_size": 14, "spatial_merge_size": 2,
            "spatial_patch_size": 14, "window_size": 112, "fullatt_block_indexes": [i for i in range(a.vision_depth) if i % 2],
            "tokens_per_second": 2, "temporal_patch_size": 2}}


@torch.no_grad()
def initialize(model, a):
    """Embeddings small enough that the tied head starts at unit-scale logits; branches small against the residual stream."""
    for name, p in model.named_parameters():
        if p.dim() > 1:
            branch = name.endswith(("o_proj.weight", "proj.weight", "down_proj.weight")) and ("blocks" in name or "layers" in name) \
                and not name.endswith(("q_proj.weight", "k_proj.weight", "v_proj.weight", "gate_proj.weight", "up_proj.weight"))
            depth = a.vision_depth if "blocks" in name else a.layers
            p.normal_(std=0.1 if "embed_tokens" in name else p[0].numel() ** -0.5 * ((2 * depth) ** -0.5 if branch else 1.0))
        elif name.endswith("bias"):
            p.zero_()


@torch.no_grad()
def accuracy(model, corpus, size=50):
    """Share of questions whose whole answer is the most probable one token by token (what greedy decoding gives), and per topic."""
    right, total = {}, {}
    for g, group in enumerate(corpus.groups):
        for start in range(0, len(group["pictures"]), size):
            asked = list(enumerate(group["asked"]))[start: start + size]
            batch, labels, topics = corpus.batch(g, [(page, range(len(questions))) for page, questions in asked])
            hit = torch.ones(batch[5].shape, dtype=torch.bool)
            hit[batch[5]] = model(*batch).argmax(-1) == labels
            good = hit.all(-1)
            for (n, k), topic in topics.items():
                right[topic] = right.get(topic, 0) + int(good[n, k])
                total[topic] = total.get(topic, 0) + 1
    by_topic = {t: right[t] / total[t] for t in sorted(total)}
    return sum(right.values()) / sum(total.values()), by_topic


def show(name, result):
    print(f"  {name:24s} {result[0]:.3f}  " + " ".join(f"{t} {v:.2f}" for t, v in result[1].items()), flush=True)


class CellReader(torch.nn.Module):
    """Scaffolding that is thrown away: asks each visual token what it shows (pages.cell_targets) by the embeddings of the words that
    say it. The tower learns to see from these dense local answers with a fraction of the pages that learning it through the decoder
    takes, and its features begin near the words that the decoder reads and says."""

    def __init__(self, embeddings, tokenizer):
        super().__init__()
        names = [KINDS + ["page"], WORDS, COLORS, ["no", "yes"]]
        mean = lambda word: embeddings[tokenizer.encode(f"{word} {word}", add_special_tokens=False).ids].mean(0)
        self.words = [F.normalize(torch.stack([mean(word) for word in group]), dim=-1) for group in names]
        self.sharpness = torch.nn.Parameter(torch.tensor(1.0))

    def forward(self, features, cells):  # [N, V, H], [N, V, 4] -> loss, share right of each
        parts = [self.sharpness * F.rms_norm(features, features.shape[-1:]) @ words.T for words in self.words]
        losses = [F.cross_entropy(p.flatten(0, 1), c.flatten(), ignore_index=-1) for p, c in zip(parts, cells.unbind(-1))]
        right = [(p.argmax(-1) == c)[c >= 0].float().mean().item() for p, c in zip(parts, cells.unbind(-1))]
        return sum(losses), right


def train_vision(model, reader, a, corpora):
    """First the tower alone, with the reader."""
    rng, started = random.Random(a.seed), time.time()
    parameters = [*model.visual.parameters(), *reader.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=a.rate, betas=(0.9, 0.98), weight_decay=0.01)
    sizes = [(group, len(group["pictures"])) for corpus in corpora for group in corpus.groups]
    for step in range(a.vision_steps):
        for part in optimizer.param_groups:
            part["lr"] = a.rate * min(1.0, (step + 1) / 50) * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * step / a.vision_steps)))
        group, size = rng.choices(sizes, [s for _, s in sizes])[0]
        pages = rng.sample(range(size), 32)
        loss, right = reader(model.visual(to_patches(group["pictures"][pages]), 2 * group["rows"], 2 * group["columns"]), group["cells"][pages])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        if (step + 1) % 50 == 0:
            print(f"vision step {step + 1} loss {loss.item():.3f} kind, label, color, state right "
                  + " ".join(f"{r:.2f}" for r in right) + f" {time.time() - started:.0f} s", flush=True)


@torch.no_grad()
def cache_features(model, corpus):
    """What the tower sees on every page, [n, visual tokens, H] a group."""
    for g in corpus.groups:
        grid = (2 * g["rows"], 2 * g["columns"])
        starts = range(0, len(g["pictures"]), 50)
        g["features"] = torch.cat([model.visual(to_patches(g["pictures"][s: s + 50]), *grid) for s in starts])


def train(model, a, corpora, validation, save):
    """The decoder on the tower's fixed features, then, from `a.joint` of the way on, everything together."""
    rng = random.Random(a.seed)
    groups = [[p for p in model.parameters() if p.dim() > 1], [p for p in model.parameters() if p.dim() == 1]]
    optimizer = torch.optim.AdamW([{"params": groups[0], "weight_decay": 0.05}, {"params": groups[1], "weight_decay": 0.0}],
                                  lr=a.rate, betas=(0.9, 0.98))
    for corpus in corpora:
        cache_features(model, corpus)
    sizes = [(c, g, len(group["pictures"])) for c, corpus in enumerate(corpora) for g, group in enumerate(corpus.groups)]
    started, recent, samples, step = time.time(), ([], []), 0, 0
    while (elapsed := time.time() - started) < 60 * a.minutes and step < a.steps:
        progress = max(step / a.steps, elapsed / (60 * a.minutes))  # the budget is time or steps, whichever ends first
        scale = min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimizer.param_groups:
            group["lr"] = a.rate * scale
        c, g, size = rng.choices(sizes, [s for _, _, s in sizes])[0]
        group = corpora[c].groups[g]
        asked = group["asked"]
        describe = rng.random() < max(0.15, 0.7 - 2 * progress)
        pages = rng.sample(range(size), a.describe_pages if describe else a.batch_pages)
        pick = lambda page: [0] if describe else rng.sample(range(1, len(asked[page])), min(a.questions, len(asked[page]) - 1))
        chosen = [(page, pick(page)) for page in pages]
        (patches, *rest), labels, _ = corpora[c].batch(g, chosen, features=progress < a.joint)
        logits = model.answer(patches, *rest) if progress < a.joint else model(patches, *rest)
        loss = F.cross_entropy(logits, labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        step += 1
        samples += sum(len(questions) for _, questions in chosen)
        recent[describe].append(loss.item())
        if step % 100 == 0:
            means = " ".join(f"{sum(r[-50:]) / len(r[-50:]):.4f}" for r in recent if r)
            print(f"step {step} samples {samples} loss {means} {1000 * elapsed / samples:.1f} s per 1000 samples {elapsed:.0f} s", flush=True)
        if step % 1000 == 0:
            for name, held_out in validation.items():
                show(name, accuracy(model, held_out))
            save()


def save_folder(model, config, tokenizer, source, folder):
    """A folder as released ones are: bf16 shards, configs, tokenizer, chat template, with the cut vocabulary's ids."""
    from huggingface_hub import save_torch_state_dict
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    write = lambda name, value: json.dump(value, open(os.path.join(folder, name), "w", encoding="utf-8"), indent=2, ensure_ascii=False)
    read = lambda name: json.load(open(os.path.join(source, name), encoding="utf-8"))
    save_torch_state_dict({k: v.to(torch.bfloat16) for k, v in model.state_dict().items()}, folder, max_shard_size=2_600_000)
    for name in os.listdir(folder):
        os.chmod(os.path.join(folder, name), 0o644)
    write("config.json", config)
    ids = {s: tokenizer.token_to_id(s) for s in SPECIAL}
    tokenizer.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    settings = read("tokenizer_config.json")
    settings["added_tokens_decoder"] = {str(ids[s]): dict(content=s, lstrip=False, normalized=False, rstrip=False, single_word=False,
                                                          special=True) for s in SPECIAL}
    write("tokenizer_config.json", settings)
    write("chat_template.json", read("chat_template.json"))
    limits = read("preprocessor_config.json")
    limits.update(min_pixels=4 * 28 * 28, max_pixels=256 * 28 * 28)
    write("preprocessor_config.json", limits)
    generation = read("generation_config.json")
    generation.update(bos_token_id=ids["<|endoftext|>"], pad_token_id=ids["<|endoftext|>"], do_sample=False,
                      eos_token_id=[ids["<|im_end|>"], ids["<|endoftext|>"]], repetition_penalty=1.0)
    del generation["temperature"]
    write("generation_config.json", generation)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tokenizer", required=True, help="a released Qwen2.5-VL folder (tokenizer and configs, no weights)")
    parser.add_argument("--pages", nargs="+", required=True)
    parser.add_argument("--validation", nargs="*", default=[])
    parser.add_argument("--output", required=True)
    for name, value in dict(merges=1000, hidden=128, intermediate=320, layers=6, heads=8, kv_heads=4, vision_depth=4, vision_hidden=96,
                            vision_intermediate=256, batch_pages=8, questions=4, describe_pages=12, vision_steps=450, steps=100000, seed=0, threads=1).items():
        parser.add_argument("--" + name.replace("_", "-"), type=int, default=value)
    parser.add_argument("--tower", help="keep the model after the tower's own training here, or go on from it")
    parser.add_argument("--joint", type=float, default=0.6, help="share of the budget after which the tower learns again")
    parser.add_argument("--rope-theta", type=float, default=100.0, help="small, so that few and short heads tell rows and columns apart")
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--minutes", type=float, default=30)
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    tokenizer, _ = cut_tokenizer(a.tokenizer, a.merges, texts() + [BEFORE, "user", "assistant"])
    ids = {s: tokenizer.token_to_id(s) for s in SPECIAL}
    config = configuration((tokenizer.get_vocab_size() + 63) // 64 * 64, ids, a)
    model = QwenVL(config)
    initialize(model, a)
    print(f"{sum(p.numel() for p in model.parameters()) / 1e6:.2f} M parameters, of them vision "
          f"{sum(p.numel() for p in model.visual.parameters()) / 1e6:.2f} M", flush=True)
    corpora = [Corpus.bulk(path, tokenizer) for path in a.pages]
    validation = {os.path.basename(path): Corpus.bulk(path, tokenizer) for path in a.validation}
    save = lambda: save_folder(model, config, tokenizer, a.tokenizer, a.output)
    if a.tower and os.path.exists(a.tower):
        model.load_state_dict(torch.load(a.tower))
    else:
        train_vision(model, CellReader(model.model.embed_tokens.weight.detach(), tokenizer), a, corpora)
        if a.tower:
            torch.save(model.state_dict(), a.tower)
    train(model, a, corpora, validation, save)
    for p in model.parameters():
        p.data = p.data.to(torch.bfloat16).float()  # what is stored
    for name, held_out in validation.items():
        show(name + " (bf16)", accuracy(model, held_out))
    save()
