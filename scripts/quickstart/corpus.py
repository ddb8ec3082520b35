"""Bulk-rendered pages as training batches: tokens of the prompts, patches of the pictures."""
import functools, json, os
import numpy as np
import torch
from PIL import Image
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>", "<|box_start|>",
           "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>", "<|vision_pad|>",
           "<|image_pad|>", "<|video_pad|>"]
WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
BEFORE = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n<|vision_start|>"
MEAN = torch.tensor([0.48145466, 0.4578275, 0.40821073])
DEVIATION = torch.tensor([0.26862954, 0.26130258, 0.27577711])


def build_tokenizer(vocabulary, merges):
    """Qwen's byte-level BPE over a vocabulary; the special tokens follow it."""
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges, continuing_subword_prefix="",
                                     end_of_word_suffix="", fuse_unk=False, byte_fallback=False))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(WORDS), behavior="isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.add_special_tokens([AddedToken(s, special=True, normalized=False) for s in SPECIAL])
    return tokenizer


def merges_used(tokenizer, ranks, text):
    """The merges (by rank) that the BPE applies to a text."""
    used = set()
    for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text):
        pieces = list(word)
        while True:
            found = [(ranks[pair], i) for i, pair in enumerate(zip(pieces, pieces[1:])) if pair in ranks]
            if not found:
                break
            rank, i = min(found)
            used.add(rank)
            pieces[i: i + 2] = ["".join(pieces[i: i + 2])]
    return used


def cut_tokenizer(folder, first, texts):
    """The released tokenizer of `folder` (vocab.json, merges.txt) cut to its first merges and those that `texts` use, ids renumbered
    densely: `texts` are split as the released tokenizer splits them. Returns (tokenizer, vocabulary, merges)."""
    lines = open(os.path.join(folder, "merges.txt"), encoding="utf-8").read().split("\n")
    merges = [tuple(line.split(" ")) for line in lines if line and not line.startswith("#version")]
    released = json.load(open(os.path.join(folder, "vocab.json"), encoding="utf-8"))
    whole = build_tokenizer(released, merges)
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    kept = sorted(set(range(first)).union(*(merges_used(whole, ranks, text) for text in texts)))
    vocabulary = {token: i for i, token in enumerate(sorted(released, key=released.get)[:256])}
    for rank in kept:
        vocabulary.setdefault("".join(merges[rank]), len(vocabulary))
    cut = build_tokenizer(vocabulary, [merges[rank] for rank in kept])
    for text in texts:
        assert cut.encode(text).tokens == whole.encode(text).tokens, text
    return cut, vocabulary


def to_patches(pictures):
    """uint8 [N, height, width, 3] -> normalized patches [N, P, 1176] in the image processor's order (the frame twice)."""
    n, height, width, _ = pictures.shape
    x = ((torch.from_numpy(pictures).float() / 255 - MEAN) / DEVIATION).permute(0, 3, 1, 2)
    x = x.view(n, 3, height // 28, 2, 14, width // 28, 2, 14).permute(0, 2, 5, 3, 6, 1, 4, 7)  # [N, h, w, 2, 2, 3, 14, 14]
    return x.unsqueeze(6).expand(*x.shape[:6], 2, 14, 14).reshape(n, -1, 1176)


class Corpus:
    """Pages with their questions, by page shape: `groups`, each with pictures [n, height, width, 3] and, a page, its questions as
    (prompt tokens, answer tokens, topic)."""

    def __init__(self, tokenizer, pages):
        """`pages`: pairs of a picture and its questions."""
        self.groups = []
        encode = functools.cache(lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
        for shape in sorted({picture.shape for picture, _ in pages}):
            members = [page for page in pages if page[0].shape == shape]
            rows, columns = shape[0] // 28, shape[1] // 28
            asked = [[(encode(q["question"] + "<|im_end|>\n<|im_start|>assistant\n"), encode(q["answer"] + "<|im_end|>\n"), q["topic"])
                      for q in questions] for _, questions in members]
            prefix = torch.tensor(encode(BEFORE + "<|image_pad|>" * (rows * columns) + "<|vision_end|>"))
            self.groups.append({"pictures": np.stack([picture for picture, _ in members]), "asked": asked, "rows": rows,
                                "columns": columns, "prefix": prefix})

    @classmethod
    def bulk(cls, path, tokenizer):
        """The archive of `render_pages.py bulk`."""
        archive = np.load(path)
        questions = json.loads(str(archive["questions"]))
        corpus = cls(tokenizer, [page for i, asked in enumerate(questions) for page in zip(archive[f"pictures_{i}"], asked)])
        for i in range(len(questions)):
            cells = torch.from_numpy(archive[f"cells_{i}"].astype(np.int64))  # [n, visual tokens, 4], see pages.cell_targets
            shape = archive[f"pictures_{i}"].shape[1:]
            next(g for g in corpus.groups if g["pictures"].shape[1:] == shape)["cells"] = cells
        return corpus

    @classmethod
    def rows(cls, path, tokenizer):
        """A file of `render_pages.py rows`."""
        pages = {}
        for line in open(path, encoding="utf-8"):
            row = json.loads(line)
            pages.setdefault(row["images"][0], []).append({
                "question": row["messages"][0]["content"].removeprefix("<image>"), "answer": row["messages"][1]["content"],
                "topic": row["id"].split("-")[-1]})
        folder = os.path.dirname(os.path.abspath(path))
        picture = lambda name: np.asarray(Image.open(os.path.join(folder, name)).convert("RGB"))
        return cls(tokenizer, [(picture(name), questions) for name, questions in pages.items()])

    def batch(self, group, chosen, features=False):
        """For `chosen`, pairs of a page and the indices of its questions: arguments of `QwenVL.forward` (of `QwenVL.answer` with
        `features`), the wanted labels and the topic of every (page, question)."""
        g = self.groups[group]
        picked = [[g["asked"][page][k] for k in indices] for page, indices in chosen]
        count = max(len(questions) for questions in picked)
        length = max(len(q) + len(a) - 1 for questions in picked for q, a, _ in questions)
        tokens = torch.zeros(len(picked), count, length, dtype=torch.long)
        labels = torch.full_like(tokens, -100)
        topics = {}
        for n, questions in enumerate(picked):
            for k, (question, answer, topic) in enumerate(questions):
                ids = torch.tensor(question + answer)
                tokens[n, k, : len(ids) - 1] = ids[:-1]
                labels[n, k, len(question) - 1: len(ids) - 1] = ids[len(question):]
                topics[n, k] = topic
        wanted = labels != -100
        pages = [page for page, _ in chosen]
        seen = g["features"][pages] if features else to_patches(g["pictures"][pages])
        return (seen, g["rows"], g["columns"], g["prefix"], tokens, wanted), labels[wanted], topics
