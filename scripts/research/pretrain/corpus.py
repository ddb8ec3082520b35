"""Rendered pages as training batches: tokens of prompts and answers, patches of images, and what each visual token
shows.
"""

import functools
import glob
import json
import os

import numpy as np
import torch

import questions
from words import COLORS, KINDS

# What the templates write around a question.
BEFORE, AFTER = "<|im_start|>user\n", "<|im_end|>\n<|im_start|>assistant\n"
AFTERS = {"qwen3_vl": AFTER, "qwen3_5": AFTER + "<think>\n\n</think>\n\n"}
LETTERS = 37


def to_patches(images):
    """uint8 [N, height, width, 3] -> normalized patches [N, P, 768] in the image processor's order."""
    n, height, width, _ = images.shape
    x = (torch.from_numpy(images).float() / 127.5 - 1).permute(0, 3, 1, 2)
    x = x.view(n, 3, height // 32, 2, 16, width // 32, 2, 16)
    x = x.permute(0, 2, 5, 3, 6, 1, 4, 7)  # [N, h, w, 2, 2, 3, 16, 16]
    return x.reshape(n, -1, 768)


def covering(page, rows, columns):
    """For each visual token (row by row) the two widgets that cover most of it [V, 2] and their shares of it [V, 2], 0
    for none.
    """
    boxes = np.array([w["box"] for w in page["widgets"]], dtype=np.float32)
    scale = np.array([columns / page["size"][0], rows / page["size"][1]], dtype=np.float32)

    def span(axis, count):
        return np.clip(
            np.minimum(boxes[:, None, axis + 2] * scale[axis], np.arange(count) + 1)
            - np.maximum(boxes[:, None, axis] * scale[axis], np.arange(count)),
            0,
            None,
        )

    area = (span(1, rows)[:, :, None] * span(0, columns)[:, None]).reshape(len(boxes), -1).T  # [V, widgets]
    area[area < 0.04] = 0
    order = np.argsort(-area, 1, kind="stable")[:, :2]
    if order.shape[1] < 2:
        order = np.concatenate([order, order], 1)
        return order, np.stack([area[:, 0], 0 * area[:, 0]], 1)
    return order, np.take_along_axis(area, order, 1)


class Branches:
    """The questions of each page one after another, each seeing only the page and itself: tokens, branch, offset in the
    branch and whether the next token is wanted [N, T]; the wanted ones as labels [W]; where the answer of (page,
    question) is told.
    """

    def __init__(self, encoded):
        """`encoded`: the pages' questions as (question tokens, answer tokens)."""
        length = max(sum(len(q) + len(a) - 1 for q, a in row) for row in encoded)
        self.tokens = torch.zeros(len(encoded), length, dtype=torch.long)
        self.offset, labels = torch.zeros_like(self.tokens), torch.full_like(self.tokens, -100)
        self.branch, self.answers = torch.full_like(self.tokens, -2), {}  # padding is no one's
        for n, row in enumerate(encoded):
            at = 0
            for k, (question, answer) in enumerate(row):
                ids = torch.tensor(question + answer)
                end = at + len(ids) - 1
                self.tokens[n, at:end] = ids[:-1]
                self.offset[n, at:end] = torch.arange(len(ids) - 1)
                self.branch[n, at:end] = k
                labels[n, end - len(answer) : end] = ids[len(question) :]
                self.answers[n, k] = slice(end - len(answer), end)
                at = end
        self.wanted = labels != -100
        self.labels = labels[self.wanted]


class Corpus:
    """Pages by size: `groups`, each with images [n, height, width, 3], letters [n, P, 8] and the pages themselves."""

    def __init__(self, folder, tokenizer, family):
        self.tokenizer, self.groups, self.after = tokenizer, [], AFTERS[family]
        self.encode = functools.lru_cache(200_000)(lambda text: tokenizer.encode(text, add_special_tokens=False).ids)
        for path in sorted(glob.glob(os.path.join(folder, "*.npz"))):
            archive = np.load(path)
            images, pages = archive["images"], json.loads(str(archive["pages"]))
            rows, columns = images.shape[1] // 32, images.shape[2] // 32
            cells = archive["letters"].reshape(len(pages), rows, 2, 2, columns, 2, 4).transpose(0, 1, 4, 2, 5, 3, 6)
            letters = cells.reshape(len(pages), 4 * rows * columns, 8)  # of each patch
            # Of each visual token, row by row.
            seen = cells.transpose(0, 1, 2, 3, 5, 4, 6).reshape(len(pages), rows * columns, 4, 8)
            prefix = self.encode(BEFORE + "<|vision_start|>" + "<|image_pad|>" * (rows * columns) + "<|vision_end|>")
            cover = [covering(page, rows, columns) for page in pages]
            self.groups.append(
                {
                    "images": images,
                    "letters": letters,
                    "seen": seen,
                    "pages": pages,
                    "rows": rows,
                    "columns": columns,
                    "prefix": torch.tensor(prefix),
                    "order": np.stack([c[0] for c in cover]),
                    "share": np.stack([c[1] for c in cover]),
                }
            )

    def draw(self, rng, budget):
        """A group and some of its pages, of about `budget` visual tokens in all; large pages more often than their
        number says.
        """
        group = rng.choices(
            self.groups, [len(g["pages"]) * (2 if g["rows"] * g["columns"] > 100 else 1) for g in self.groups]
        )[0]
        count = min(len(group["pages"]), max(1, budget // (group["rows"] * group["columns"])))
        return group, rng.sample(range(len(group["pages"])), count)

    def targets(self, group, chosen):
        """What visual tokens show: {role: [N, V, 2]} for the two widgets that cover most, their shares [N, V, 2], the
        labels as lists of tokens (role "label" counts these), and the letters in cells of patches [N, P, 8] and of
        visual tokens [N, V, 4, 8], -1 for none.
        """
        labels, roles = (
            {},
            {
                r: np.full((len(chosen), group["rows"] * group["columns"], 2), -1, dtype=np.int64)
                for r in ("label", "kind", "color", "on", "x", "y")
            },
        )
        share = group["share"][chosen]
        for n, p in enumerate(chosen):
            page = group["pages"][p]
            table = []
            for w in page["widgets"]:
                name = " " + (w["label"] or w["shape"])
                x, y = questions.place(w["target"], page["size"])
                table.append(
                    [
                        labels.setdefault(name, len(labels)),
                        KINDS.index(w["kind"]),
                        list(COLORS).index(w["color"]) if w["color"] else -1,
                        -1 if w["on"] is None else int(w["on"]),
                        x,
                        y,
                    ]
                )
            found = np.array(table)[group["order"][p]]  # [V, 2, roles]
            for r, name in enumerate(roles):
                roles[name][n] = np.where(share[n] > 0, found[..., r], -1)
        roles["kind"][..., 0][share[..., 0] == 0] = len(KINDS)  # nothing there
        share = np.where(share.sum(-1, keepdims=True) > 0, share, np.array([1.0, 0.0]))
        return (
            {k: torch.from_numpy(v) for k, v in roles.items()},
            torch.from_numpy(share / share.sum(-1, keepdims=True)).float(),
            [self.encode(text) for text in labels],
            *(torch.from_numpy(group[k][chosen].astype(np.int64)) for k in ("letters", "seen")),
        )

    def batch(self, asked):
        """Questions [N][Q] of N pages as `Branches`."""
        return Branches(
            [
                [(self.encode(q["question"] + self.after), self.encode(q["answer"] + "<|im_end|>\n")) for q in row]
                for row in asked
            ]
        )

    def text_batch(self, rng, pages, count):
        """Examples without images, and their prefix."""
        asked = [[questions.without_image(rng) for _ in range(count)] for _ in range(pages)]
        return torch.tensor(self.encode(BEFORE)), self.batch(asked)
