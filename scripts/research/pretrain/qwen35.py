"""Qwen3.5's decoder (dense) in plain PyTorch: Gated DeltaNet and gated attention, under the tower of `qwen3vl`.

As there, a page's prefix is computed once: a linear layer hands each question the prefix's state and the last three
rows of the convolution's input. check.py compares with transformers.
"""

import torch
import torch.nn.functional as F
from torch import nn

from qwen3vl import MLP, QwenVL, attend

TAPS, CHUNK = 4, 32


class RMSNorm(nn.Module):
    """Scaled by one more than its weight."""

    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x):
        return F.rms_norm(x, (x.shape[-1],), 1 + self.weight, 1e-6)


class GatedNorm(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x, gate):
        return F.rms_norm(x, (x.shape[-1],), self.weight, 1e-6) * F.silu(gate)


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.size, heads, kv = (
            c[k] for k in ("hidden_size", "head_dim", "num_attention_heads", "num_key_value_heads")
        )
        self.group = heads // kv
        self.q_proj = nn.Linear(h, 2 * heads * self.size, bias=False)  # a head's query, then its gate
        self.k_proj = nn.Linear(h, kv * self.size, bias=False)
        self.v_proj = nn.Linear(h, kv * self.size, bias=False)
        self.o_proj = nn.Linear(heads * self.size, h, bias=False)
        self.q_norm, self.k_norm = RMSNorm(self.size), RMSNorm(self.size)

    def forward(self, x, g):
        q, gate = self.q_proj(x).unflatten(-1, (-1, 2, self.size)).unbind(-2)
        k, v = (p(x).unflatten(-1, (-1, self.size)) for p in (self.k_proj, self.v_proj))
        return self.o_proj(attend(self.q_norm(q), self.k_norm(k), v, self.group, g) * gate.flatten(2).sigmoid())


def delta_rule(q, k, v, decay, beta, state):
    """q, k [B, T, h, dk] of unit length, v [B, T, h, dv], decay (the logarithm) and beta [B, T, h], state
    [B, h, dk, dv] -> what is read [B, T, h, dv], and the state after it. Chunks of `CHUNK` tokens.
    """
    tokens = q.shape[1]
    pad = -tokens % CHUNK

    def chunked(y):  # [B, h, chunks, CHUNK, ...]; what is added at the end changes no state
        y = F.pad(y, [0, 0] * (y.dim() - 2) + [0, pad])
        return y.unflatten(1, (-1, CHUNK)).movedim(3, 1)

    q, k, v, decay, beta = (chunked(y) for y in (q, k, v, decay, beta[..., None]))
    total = decay.cumsum(-1)
    lower = torch.ones(CHUNK, CHUNK, dtype=torch.bool).tril()
    between = (total[..., :, None] - total[..., None, :]).masked_fill(~lower, float("-inf")).exp()
    power = -(beta * (k @ k.transpose(-1, -2)) * between).tril(-1)
    # The inverse of 1 - power, whose CHUNK-th power is 0.
    inverse = torch.eye(CHUNK) + power
    for _ in range(CHUNK.bit_length() - 2):
        power = power @ power
        inverse = inverse + inverse @ power
    inside = (q @ k.transpose(-1, -2)) * between
    grown, left = total.exp()[..., None], (total[..., -1:] - total).exp()[..., None]
    read = []
    for c in range(q.shape[2]):
        new = inverse[:, :, c] @ (beta[:, :, c] * (v[:, :, c] - grown[:, :, c] * (k[:, :, c] @ state)))
        read.append(grown[:, :, c] * (q[:, :, c] @ state) + inside[:, :, c] @ new)
        state = grown[:, :, c, -1:] * state + (left[:, :, c] * k[:, :, c]).transpose(-1, -2) @ new
    return torch.cat(read, 2).transpose(1, 2)[:, :tokens], state


class GatedDeltaNet(nn.Module):
    def __init__(self, c):
        super().__init__()
        h, self.key, self.value = c["hidden_size"], c["linear_key_head_dim"], c["linear_value_head_dim"]
        self.key_heads, self.heads = c["linear_num_key_heads"], c["linear_num_value_heads"]
        keys, values = self.key_heads * self.key, self.heads * self.value
        self.sizes = [keys, keys, values]
        self.in_proj_qkv = nn.Linear(h, sum(self.sizes), bias=False)
        self.in_proj_z = nn.Linear(h, values, bias=False)
        self.in_proj_b = nn.Linear(h, self.heads, bias=False)
        self.in_proj_a = nn.Linear(h, self.heads, bias=False)
        self.conv1d = nn.Conv1d(sum(self.sizes), sum(self.sizes), TAPS, groups=sum(self.sizes), bias=False)
        # Memories of ten to a thousand tokens, as Mamba's begin.
        step = torch.exp(torch.linspace(-6.9, -2.3, self.heads))
        self.dt_bias = nn.Parameter(step + torch.log(-torch.expm1(-step)))
        self.A_log = nn.Parameter(torch.zeros(self.heads))
        self.norm = GatedNorm(self.value)
        self.out_proj = nn.Linear(values, h, bias=False)

    def rule(self, m, b, a, state):
        """m [B, 3 + T, channels] from three rows before the tokens on, b and a [B, T, heads]."""
        s = F.silu(self.conv1d(m.transpose(1, 2)).transpose(1, 2))
        q, k, v = (y.unflatten(-1, (-1, d)) for y, d in zip(s.split(self.sizes, -1), (self.key, self.key, self.value)))
        q, k = (y * torch.rsqrt((y * y).sum(-1, keepdim=True) + 1e-6) for y in (q, k))
        q, k = (y.repeat_interleave(self.heads // self.key_heads, 2) for y in (q * self.key**-0.5, k))
        decay = -self.A_log.exp() * F.softplus(a + self.dt_bias)
        return delta_rule(q, k, v, decay, b.sigmoid(), state)

    def forward(self, x, g):
        m, b, a = self.in_proj_qkv(x), self.in_proj_b(x), self.in_proj_a(x)
        n, start = len(x), g.start
        before = F.pad(m[:, :start], [0, 0, TAPS - 1, 0])
        empty = x.new_zeros(n, self.heads, self.key, self.value)
        prefix, state = self.rule(before, b[:, :start], a[:, :start], empty)
        # Each question's tokens as a sequence of its own, [N Q, longest].
        count, longest = int(g.batch.branch.max()) + 1, int(g.batch.offset.max()) + 1
        belongs = g.batch.branch >= 0
        place = torch.where(belongs, g.batch.branch * longest + g.batch.offset, count * longest)

        def apart(y):
            rows = y.new_zeros(n, count * longest + 1, y.shape[-1])
            rows = rows.scatter(1, place[..., None].expand_as(y), y)
            return rows[:, :-1].reshape(n * count, longest, -1)

        context = before[:, -(TAPS - 1) :].repeat_interleave(count, 0)
        own = self.rule(
            torch.cat([context, apart(m[:, start:])], 1),
            apart(b[:, start:]),
            apart(a[:, start:]),
            state.repeat_interleave(count, 0),
        )[0]
        own = own.reshape(n, count * longest, self.heads, self.value)
        index = place.clamp(max=count * longest - 1)[..., None, None].expand(-1, -1, self.heads, self.value)
        read = torch.cat([prefix, own.gather(1, index)], 1)
        gate = self.in_proj_z(x).unflatten(-1, (self.heads, self.value))
        return self.out_proj(self.norm(read, gate).flatten(2))


class Layer(nn.Module):
    def __init__(self, c, index):
        super().__init__()
        self.input_layernorm, self.post_attention_layernorm = RMSNorm(c["hidden_size"]), RMSNorm(c["hidden_size"])
        self.mlp = MLP(c)
        self.is_linear = c["layer_types"][index] == "linear_attention"
        if self.is_linear:
            self.linear_attn = GatedDeltaNet(c)
        else:
            self.self_attn = Attention(c)

    def forward(self, x, g):
        mixer = self.linear_attn if self.is_linear else self.self_attn
        x = x + mixer(self.input_layernorm(x), g)
        return x + self.mlp(self.post_attention_layernorm(x))


class Qwen35(QwenVL):
    def __init__(self, config):
        super().__init__(config, Layer, RMSNorm)
