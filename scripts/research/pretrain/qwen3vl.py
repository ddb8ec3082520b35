"""Qwen3-VL's mathematics in plain PyTorch, for batches of pages of one size with several questions each.

Modules are named as the released checkpoints name their tensors, so a state dict is a checkpoint. A page's prefix
(image) is computed once; each question continues from it and sees only the prefix and itself, with the positions that
it would have in a sequence of its own: the same numbers as separate sequences, at a fraction of the work. check.py
compares with transformers.
"""

import torch
import torch.nn.functional as F
from torch import nn


class RMSNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-6)


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class Geometry:
    """Where the tokens of `corpus.Branches` of N pages stand, `start` tokens of a prefix before them: rotary angles
    [N, 1, T, R], the mask of attention [N, 1, T, T], and the branches themselves.
    """

    def __init__(self, angles, batch, start):
        self.cos, self.sin, self.batch, self.start = angles.cos(), angles.sin(), batch, start
        branch = torch.cat([torch.full((len(batch.branch), start), -1), batch.branch], 1)
        self.mask = ((branch[:, None] == -1) | (branch[:, None] == branch[:, :, None])).tril()[:, None]

    def rotate(self, x):
        """Turns the first R numbers of heads [N, heads, T, D]."""
        turned = self.cos.shape[-1]
        return torch.cat([rotate(x[..., :turned], self.cos, self.sin), x[..., turned:]], -1)


def attend(q, k, v, group, g):
    """Attention of heads [N, T, heads, D], `group` query heads to a KV head -> [N, T, heads D]."""
    q, k, v = (y.transpose(1, 2) for y in (q, k, v))
    k, v = (y.repeat_interleave(group, 1) for y in (g.rotate(k), v))
    return F.scaled_dot_product_attention(g.rotate(q), k, v, attn_mask=g.mask).transpose(1, 2).flatten(2)


class VisionAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c["num_heads"]
        self.qkv = nn.Linear(c["hidden_size"], 3 * c["hidden_size"])
        self.proj = nn.Linear(c["hidden_size"], c["hidden_size"])

    def forward(self, x, cos, sin):  # x [N, P, C]
        n, p, c = x.shape
        q, k, v = self.qkv(x).view(n, p, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.proj(y.transpose(1, 2).reshape(n, p, c))


class VisionMLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.linear_fc1 = nn.Linear(c["hidden_size"], c["intermediate_size"])
        self.linear_fc2 = nn.Linear(c["intermediate_size"], c["hidden_size"])

    def forward(self, x):
        return self.linear_fc2(F.gelu(self.linear_fc1(x), approximate="tanh"))


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = (nn.LayerNorm(c["hidden_size"], eps=1e-6) for _ in range(2))
        self.attn, self.mlp = VisionAttention(c), VisionMLP(c)

    def forward(self, x, *angles):
        x = x + self.attn(self.norm1(x), *angles)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        size = (c["temporal_patch_size"], c["patch_size"], c["patch_size"])
        self.proj = nn.Conv3d(c["in_channels"], c["hidden_size"], size, size)

    def forward(
        self, x
    ):  # [N, P, 3 * 2 * 16 * 16], the frame twice: its half is read against the kernel's sum over time
        w = self.proj.weight
        return F.linear(x, w.sum(2).flatten(1), self.proj.bias)


class Merger(nn.Module):
    def __init__(self, c, shuffled_first):
        super().__init__()
        self.inner, self.shuffled_first = 4 * c["hidden_size"], shuffled_first
        self.norm = nn.LayerNorm(self.inner if shuffled_first else c["hidden_size"], eps=1e-6)
        self.linear_fc1 = nn.Linear(self.inner, self.inner)
        self.linear_fc2 = nn.Linear(self.inner, c["out_hidden_size"])

    def forward(self, x):  # four neighbouring patches follow one another
        n = x.shape[0]
        x = self.norm(x.reshape(n, -1, self.inner)) if self.shuffled_first else self.norm(x).reshape(n, -1, self.inner)
        return self.linear_fc2(F.gelu(self.linear_fc1(x)))


class VisionTower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config, self.geometries = c, {}
        self.patch_embed = PatchEmbed(c)
        self.pos_embed = nn.Embedding(c["num_position_embeddings"], c["hidden_size"])
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c["depth"]))
        self.merger = Merger(c, False)
        self.deepstack_merger_list = nn.ModuleList(Merger(c, True) for _ in c["deepstack_visual_indexes"])

    def geometry(self, rows, columns):
        """For a grid of patches in the processor's order (2 x 2 neighbours together): rotary angles, and the four
        learned positions around each patch with their weights (both ends of the grid at both ends of the table).
        """
        if (rows, columns) not in self.geometries:
            at = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), -1)
            at = at.view(rows // 2, 2, columns // 2, 2, 2).transpose(1, 2).reshape(-1, 2)  # [P, 2]
            size = self.config["hidden_size"] // self.config["num_heads"]
            inverse = 10000.0 ** -(torch.arange(0, size // 2, 2) / (size // 2))
            angles = (at[:, :, None] * inverse).flatten(1).repeat(1, 2)
            side = int(self.config["num_position_embeddings"] ** 0.5)
            source = at * (side - 1) / (torch.tensor([rows, columns]) - 1)
            low = source.floor().long()
            share = torch.stack([1 - (source - low), source - low], -1)  # [P, 2 axes, 2]
            taps = torch.stack([low, low + 1], -1).clamp(max=side - 1)
            weights = (share[:, 0, :, None] * share[:, 1, None]).flatten(1)
            self.geometries[rows, columns] = (
                angles.cos(),
                angles.sin(),
                (taps[:, 0, :, None] * side + taps[:, 1, None]).flatten(1),
                weights,
            )
        return self.geometries[rows, columns]

    def forward(self, patches, rows, columns, keep=()):
        """[N, P, 768] -> [N, P / 4, H] and the same for each deepstack layer; `keep`: also the patches' states after
        these blocks.
        """
        cos, sin, taps, weights = self.geometry(rows, columns)
        x = self.patch_embed(patches) + (self.pos_embed(taps) * weights[..., None]).sum(1)
        deep, kept = [], []
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin)
            if i in self.config["deepstack_visual_indexes"]:
                deep.append(self.deepstack_merger_list[len(deep)](x))
            if i in keep:
                kept.append(x)
        return self.merger(x), deep, kept


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.size = c["hidden_size"], c["head_dim"]
        self.group = c["num_attention_heads"] // c["num_key_value_heads"]
        self.q_proj = nn.Linear(h, c["num_attention_heads"] * self.size, bias=False)
        self.k_proj = nn.Linear(h, c["num_key_value_heads"] * self.size, bias=False)
        self.v_proj = nn.Linear(h, c["num_key_value_heads"] * self.size, bias=False)
        self.o_proj = nn.Linear(c["num_attention_heads"] * self.size, h, bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.size), RMSNorm(self.size)

    def forward(self, x, g):  # x [N, T, H]
        q, k, v = (p(x).unflatten(-1, (-1, self.size)) for p in (self.q_proj, self.k_proj, self.v_proj))
        return self.o_proj(attend(self.q_norm(q), self.k_norm(k), v, self.group, g))


class MLP(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.gate_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.up_proj = nn.Linear(c["hidden_size"], c["intermediate_size"], bias=False)
        self.down_proj = nn.Linear(c["intermediate_size"], c["hidden_size"], bias=False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, c, _index):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c["hidden_size"]), RMSNorm(c["hidden_size"])
        self.self_attn, self.mlp = Attention(c), MLP(c)

    def forward(self, x, g):
        x = x + self.self_attn(self.input_layernorm(x), g)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, c, layer, norm):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(layer(c, index) for index in range(c["num_hidden_layers"]))
        self.norm = norm(c["hidden_size"])


class Parts(nn.Module):
    def __init__(self, config, layer, norm):
        super().__init__()
        self.visual = VisionTower(config["vision_config"])
        self.language_model = Decoder(config["text_config"], layer, norm)


class QwenVL(nn.Module):
    """The language-model head is tied to the embeddings."""

    def __init__(self, config, layer=Layer, norm=RMSNorm):
        super().__init__()
        self.config, c = config, config["text_config"]
        rope = c.get("rope_parameters") or {**c["rope_scaling"], "rope_theta": c["rope_theta"]}
        turned, self.sections = int(c["head_dim"] * rope.get("partial_rotary_factor", 1)), rope["mrope_section"]
        self.inverse = rope["rope_theta"] ** -(torch.arange(0, turned, 2) / turned)
        self.model = Parts(config, layer, norm)

    def prefix_angles(self, prefix, first, rows, columns):
        """Rotary angles [T0, R / 2] of a prefix of `prefix` tokens whose visual tokens (`rows` x `columns`, 0 x 0
        for none) begin at `first`, and the position after it.
        """
        position = torch.arange(prefix)[None].repeat(3, 1)
        if rows:
            grid = torch.stack(
                torch.meshgrid(torch.arange(1), torch.arange(rows), torch.arange(columns), indexing="ij")
            )
            position[:, first : first + rows * columns] = grid.reshape(3, -1) + first
            position[:, first + rows * columns :] = (
                first + max(rows, columns) + torch.arange(prefix - first - rows * columns)
            )
        axis = torch.zeros(len(self.inverse), dtype=torch.long)  # time, with height and width interleaved
        for dimension in (1, 2):
            axis[dimension : 3 * self.sections[dimension] : 3] = dimension
        return position[axis].T * self.inverse, int(position[0, -1]) + 1

    def forward(self, seen, rows, columns, prefix, batch):
        """seen: (features, deepstack features) [N, V, H] of the images or None; prefix [T0]; batch: `corpus.Branches`
        of N pages -> logits at the wanted tokens [W, V], and the last states at visual tokens [N, V, H].
        """
        n, start = batch.tokens.shape[0], len(prefix)
        decoder = self.model.language_model
        x = decoder.embed_tokens(torch.cat([prefix.expand(n, -1), batch.tokens], 1))
        first, count = 0, rows * columns
        if seen:
            first = int((prefix == self.config["image_token_id"]).nonzero()[0, 0])
            x = torch.cat([x[:, :first], seen[0], x[:, first + count :]], 1)
        angles, after = self.prefix_angles(start, first, rows, columns)
        angles = torch.cat([angles.expand(n, -1, -1), (batch.offset + after)[..., None] * self.inverse], 1).repeat(
            1, 1, 2
        )[:, None]
        geometry = Geometry(angles, batch, start)
        for i, layer in enumerate(decoder.layers):
            x = layer(x, geometry)
            if seen and i < len(seen[1]):
                x = torch.cat([x[:, :first], x[:, first : first + count] + seen[1][i], x[:, first + count :]], 1)
        return F.linear(decoder.norm(x[:, start:][batch.wanted]), decoder.embed_tokens.weight), x[
            :, first : first + count
        ]
