"""Qwen2.5-VL's mathematics in plain PyTorch, for batches of pages of one size with several questions each.

Modules are named as the released checkpoints name their tensors, so a state dict is a checkpoint. A page's prefix (system
prompt, picture) is computed once; each question continues from it and sees only the prefix and itself, with the positions that it
would have in a row of its own: the same numbers as separate rows, at a fraction of the work.
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


class MLP(nn.Module):
    def __init__(self, size, inner, bias):
        super().__init__()
        self.gate_proj = nn.Linear(size, inner, bias=bias)
        self.up_proj = nn.Linear(size, inner, bias=bias)
        self.down_proj = nn.Linear(inner, size, bias=bias)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat([-x[..., half:], x[..., :half]], -1) * sin


class VisionAttention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c["num_heads"]
        self.qkv = nn.Linear(c["hidden_size"], 3 * c["hidden_size"])
        self.proj = nn.Linear(c["hidden_size"], c["hidden_size"])

    def forward(self, x, cos, sin, mask):  # x [N, P, C]
        n, p, c = x.shape
        q, k, v = self.qkv(x).view(n, p, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        y = F.scaled_dot_product_attention(rotate(q, cos, sin), rotate(k, cos, sin), v, attn_mask=mask)
        return self.proj(y.transpose(1, 2).reshape(n, p, c))


class VisionBlock(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.norm1, self.norm2 = RMSNorm(c["hidden_size"]), RMSNorm(c["hidden_size"])
        self.attn = VisionAttention(c)
        self.mlp = MLP(c["hidden_size"], c["intermediate_size"], bias=True)

    def forward(self, x, *geometry):
        x = x + self.attn(self.norm1(x), *geometry)
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.proj = nn.Conv3d(3, c["hidden_size"], (2, 14, 14), (2, 14, 14), bias=False)

    def forward(self, x):
        return F.linear(x, self.proj.weight.flatten(1))


class Merger(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.inner = 4 * c["hidden_size"]
        self.ln_q = RMSNorm(c["hidden_size"])
        self.mlp = nn.Sequential(nn.Linear(self.inner, self.inner), nn.GELU(), nn.Linear(self.inner, c["out_hidden_size"]))

    def forward(self, x):  # four neighbouring patches follow one another
        return self.mlp(self.ln_q(x).reshape(x.shape[0], -1, self.inner))


class VisionTower(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.config, self.geometries = c, {}
        self.patch_embed = PatchEmbed(c)
        self.blocks = nn.ModuleList(VisionBlock(c) for _ in range(c["depth"]))
        self.merger = Merger(c)

    def geometry(self, rows, columns):
        """Rotary angles and the window mask of a grid of patches, in the processor's order (2 x 2 neighbours together)."""
        if (rows, columns) not in self.geometries:
            at = torch.stack(torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij"), -1)
            at = at.view(rows // 2, 2, columns // 2, 2, 2).transpose(1, 2).reshape(-1, 2)  # [P, 2]
            size = self.config["hidden_size"] // self.config["num_heads"]
            inverse = 10000.0 ** -(torch.arange(0, size // 2, 2) / (size // 2))
            angles = (at[:, :, None] * inverse).flatten(1).repeat(1, 2)
            window = at // (self.config["window_size"] // 14)
            mask = (window[:, None] == window[None]).all(-1)
            self.geometries[rows, columns] = (angles.cos(), angles.sin(), mask)
        return self.geometries[rows, columns]

    def forward(self, patches, rows, columns):  # [N, P, 1176] -> [N, P / 4, H]
        cos, sin, mask = self.geometry(rows, columns)
        x = self.patch_embed(patches)
        for i, block in enumerate(self.blocks):
            x = block(x, cos, sin, None if i in self.config["fullatt_block_indexes"] else mask)
        return self.merger(x)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.heads, self.kv_heads = c["hidden_size"], c["num_attention_heads"], c["num_key_value_heads"]
        self.size = h // self.heads
        self.q_proj = nn.Linear(h, h)
        self.k_proj = nn.Linear(h, self.kv_heads * self.size)
        self.v_proj = nn.Linear(h, self.kv_heads * self.size)
        self.o_proj = nn.Linear(h, h, bias=False)

    def forward(self, x, cos, sin, mask):  # x [N, T, H]
        split = lambda y: y.view(*y.shape[:2], -1, self.size).transpose(1, 2)
        q, k, v = rotate(split(self.q_proj(x)), cos, sin), rotate(split(self.k_proj(x)), cos, sin), split(self.v_proj(x))
        repeat = lambda y: y.repeat_interleave(self.heads // self.kv_heads, 1)
        y = F.scaled_dot_product_attention(q, repeat(k), repeat(v), attn_mask=mask)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class Layer(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c["hidden_size"]), RMSNorm(c["hidden_size"])
        self.self_attn = Attention(c)
        self.mlp = MLP(c["hidden_size"], c["intermediate_size"], bias=False)

    def forward(self, x, *geometry):
        x = x + self.self_attn(self.input_layernorm(x), *geometry)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.embed_tokens = nn.Embedding(c["vocab_size"], c["hidden_size"])
        self.layers = nn.ModuleList(Layer(c) for _ in range(c["num_hidden_layers"]))
        self.norm = RMSNorm(c["hidden_size"])


class QwenVL(nn.Module):
    """Language-model head tied to the embeddings."""

    def __init__(self, c):
        super().__init__()
        self.config, self.layouts = c, {}
        self.visual = VisionTower(c["vision_config"])
        self.model = Decoder(c)

    def layout(self, prefix, first, rows, columns, questions, length):
        """Rotary angles and the attention mask of a prefix of `prefix` tokens whose visual tokens begin at `first`, followed by
        `questions` branches of `length` tokens; `rows` and `columns` of visual tokens."""
        key = (prefix, first, rows, columns, questions, length)
        if key not in self.layouts:
            position = torch.arange(prefix)[None].repeat(3, 1)
            grid = torch.stack(torch.meshgrid(torch.arange(1), torch.arange(rows), torch.arange(columns), indexing="ij"))
            position[:, first: first + rows * columns] = grid.reshape(3, -1) + first
            after = first + max(rows, columns)
            position[:, first + rows * columns:] = after + torch.arange(prefix - first - rows * columns)
            start = after + prefix - first - rows * columns
            position = torch.cat([position, (start + torch.arange(length)).repeat(questions)[None].repeat(3, 1)], 1)  # [3, T]
            size = self.config["hidden_size"] // self.config["num_attention_heads"]
            inverse = self.config["rope_theta"] ** -(torch.arange(0, size, 2) / size)
            axis = torch.repeat_interleave(torch.arange(3), torch.tensor(self.config["rope_scaling"]["mrope_section"]))
            angles = (position[axis].T * inverse).repeat(1, 2)
            branch = torch.cat([torch.full((prefix,), -1), torch.arange(questions).repeat_interleave(length)])
            causal = torch.ones(len(branch), len(branch)).tril().bool()
            mask = causal & ((branch[None] == -1) | (branch[None] == branch[:, None]))
            self.layouts[key] = (angles.cos(), angles.sin(), mask)
        return self.layouts[key]

    def forward(self, patches, rows, columns, prefix, branches, wanted):
        """patches [N, P, 1176] · prefix [T0] · branches [N, Q, L] · wanted [N, Q, L] bool -> logits at the wanted tokens [W, V]."""
        return self.answer(self.visual(patches, 2 * rows, 2 * columns), rows, columns, prefix, branches, wanted)

    def answer(self, features, rows, columns, prefix, branches, wanted):
        """The same from the pictures' features [N, P / 4, H]."""
        n, q, length = branches.shape
        first = int((prefix == self.config["image_token_id"]).nonzero()[0, 0])
        geometry = self.layout(len(prefix), first, rows, columns, q, length)
        x = self.model.embed_tokens(torch.cat([prefix.expand(n, -1), branches.flatten(1)], 1))
        x = torch.cat([x[:, :first], features, x[:, first + rows * columns:]], 1)
        for layer in self.model.layers:
            x = layer(x, *geometry)
        x = x[:, len(prefix):].reshape(n, q, length, -1)[wanted]
        return F.linear(self.model.norm(x), self.model.embed_tokens.weight)
