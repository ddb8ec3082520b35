"""Scaffolding of the training that is thrown away: dense questions to every visual token. Pointing at the named widget
is learned only after visual tokens say what they show and where; these answers teach that with a fraction of the pages.
"""

import torch
import torch.nn.functional as F
from torch import nn

from corpus import LETTERS
from questions import BINS
from words import COLORS, KINDS

ROLES = {"kind": len(KINDS) + 1, "color": len(COLORS), "on": 2, "x": BINS, "y": BINS}


class Reader(nn.Module):
    """What a visual token's vector says of the widgets that cover it: label, kind, colour, state, bins of the target's
    centre.

    A label is told from the others of the batch by its likeness to the mean embedding of its tokens, straight or
    through a map.
    """

    def __init__(self, size, straight):
        super().__init__()
        self.heads = nn.ModuleDict({role: nn.Linear(size, count) for role, count in ROLES.items()})
        self.map = nn.Identity() if straight else nn.Linear(size, size, bias=False)
        self.sharpness = nn.Parameter(torch.tensor(1.0))

    def forward(self, x, roles, share, labels, embeddings):
        """x [N, V, H] -> loss, {role: share right for the widget that covers most}."""
        x = F.rms_norm(x, x.shape[-1:])
        counts = torch.tensor([len(ids) for ids in labels])
        rows = embeddings[torch.tensor([i for ids in labels for i in ids])]
        means = torch.zeros(len(labels), x.shape[-1]).index_add_(
            0, torch.arange(len(labels)).repeat_interleave(counts), rows
        )
        logits = {"label": self.sharpness * self.map(x) @ F.normalize(means, dim=-1).T}
        logits |= {role: head(x) for role, head in self.heads.items()}
        loss, right = 0.0, {}
        for role, found in logits.items():
            target = roles[role]
            each = -found.log_softmax(-1).gather(-1, target.clamp(min=0)) * (target >= 0) * share
            weight = ((target >= 0) * share).sum().clamp(min=1)
            loss = loss + (0.4 if role in ("color", "on") else 1.0) * each.sum() / weight
            known = target[..., 0] >= 0
            right[role] = (found.argmax(-1) == target[..., 0])[known].float().mean().item()
        return loss, right


class LetterReader(nn.Module):
    """Which letter has its centre in each of the eight cells of a patch: so finely that a patch's pixels answer almost
    linearly. Which letters a patch shows at all, asked alone, is learned many times slower.
    """

    def __init__(self, size):
        super().__init__()
        self.head = nn.Linear(size, 8 * (LETTERS + 1))
        with torch.no_grad():  # most cells have no letter
            self.head.bias.view(8, -1)[:, LETTERS] = 6.0

    def forward(self, x, letters):  # [N, P, C], [N, P, 8] -> loss a letter, share of letters right
        logits = self.head(F.layer_norm(x, x.shape[-1:])).unflatten(-1, (8, LETTERS + 1))
        target = torch.where(letters < 0, LETTERS, letters)
        there = letters >= 0
        loss = F.cross_entropy(logits.flatten(0, -2), target.flatten(), reduction="sum") / there.sum().clamp(min=1)
        return loss, (logits[..., :LETTERS].argmax(-1) == letters)[there].float().mean().item()


class PairReader(nn.Module):
    """Which letters and which pairs of neighbouring letters a visual token shows: what letters of patches become after
    the merger, without which words are never told apart there.
    """

    def __init__(self, size):
        super().__init__()
        self.head = nn.Linear(size, LETTERS + LETTERS**2)
        nn.init.constant_(self.head.bias, -7.0)

    def forward(self, x, letters):
        """x [N, V, H], letters [N, V, 4, 8] by cell, -1 for none -> loss a token with letters, share of letters and
        pairs found.
        """
        shown = torch.zeros(*x.shape[:2], LETTERS + LETTERS**2 + 1)
        none = LETTERS + LETTERS**2

        def mark(index):
            return shown.scatter_(-1, index.flatten(2), 1.0)

        mark(torch.where(letters < 0, none, letters))
        for gap in (1, 2, 3):
            left, right = letters[..., :-gap], letters[..., gap:]
            empty = torch.stack([letters[..., g : 8 - gap + g] < 0 for g in range(1, gap)]).all(0) if gap > 1 else True
            mark(torch.where((left >= 0) & (right >= 0) & empty, LETTERS + LETTERS * left + right, none))
        shown = shown[..., :none]
        logits = self.head(F.rms_norm(x, x.shape[-1:]))
        there = shown.any(-1)
        loss = F.binary_cross_entropy_with_logits(logits, shown, reduction="sum") / there.sum().clamp(min=1)
        return loss, (logits > -1)[shown > 0].float().mean().item()
