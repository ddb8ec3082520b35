"""Image-LoRA on `QwenVL` in plain PyTorch: low-rank updates of selected KV heads' values at visual tokens, and their selection."""
import math
import torch
from torch import nn


class ImageLoRA(nn.Module):
    """v[j, h] += (alpha / rank) / sqrt(|S|) * gamma * (x[j] A) B[h] for visual tokens j and the layer's selected heads h in S."""

    def __init__(self, model, heads, rank=8, alpha=16.0):
        """`heads`: the selected KV heads of each adapted layer. Hooks the model; `remove` unhooks it."""
        super().__init__()
        config, self.alpha, self.rank, self.visual = model.config, alpha, rank, None
        size = config["hidden_size"] // config["num_attention_heads"]
        self.A = nn.ParameterDict({str(l): torch.randn(config["hidden_size"], rank) / rank for l in heads})
        self.B = nn.ParameterDict({str(l): torch.zeros(len(s), rank, size) for l, s in heads.items()})
        self.gamma = nn.ParameterDict({str(l): torch.tensor(0.01) for l in heads})
        self.hooks = [model.model.layers[l].self_attn.v_proj.register_forward_hook(self.hook(str(l), s)) for l, s in heads.items()]
        self.hooks.append(model.register_forward_pre_hook(self.find_visual))

    def find_visual(self, model, arguments):
        prefix = arguments[3]  # the same for every page of the batch; visual tokens lie side by side in it
        at = (prefix == model.config["image_token_id"]).nonzero()[:, 0]
        self.visual = slice(int(at[0]), int(at[-1]) + 1)

    def hook(self, layer, heads):
        def add(_, arguments, values):  # [N, T, H] -> [N, T, Hkv * D]
            x = arguments[0][:, self.visual]
            scale = self.alpha / self.rank / math.sqrt(len(heads)) * self.gamma[layer]
            delta = torch.einsum("njr,hrd->njhd", x @ self.A[layer], self.B[layer]) * scale
            out = values.clone()
            out.view(*values.shape[:2], -1, delta.shape[-1])[:, self.visual, heads] += delta
            return out
        return add

    def remove(self):
        for hook in self.hooks:
            hook.remove()


def rank1_scores(model, loss_of_each_row, generator):
    """[L, Hkv] influence: for a rank-1 probe with A ~ N(0, 1), B = 0 and unit scale, the sum over rows of ||dL_i / dB_l,h||^2."""
    layers, config = model.model.layers, model.config
    everything = {l: list(range(config["num_key_value_heads"])) for l in range(len(layers))}
    probe = ImageLoRA(model, everything, rank=1, alpha=math.sqrt(config["num_key_value_heads"]))
    for l in everything:
        probe.A[str(l)].data.normal_(generator=generator)
        probe.gamma[str(l)].data.fill_(1.0)
    total = torch.zeros(len(layers), config["num_key_value_heads"])
    for loss in loss_of_each_row():
        gradients = torch.autograd.grad(loss, list(probe.B.values()))
        total += torch.stack([g.square().sum((1, 2)) for g in gradients])
    probe.remove()
    return total


def select(scores, count, tau=0.5):
    """The KV heads to adapt, as {layer: [heads]}: layer budgets by tempered mass, then the best heads of each layer."""
    layers, capacity = scores.shape
    mass = scores.clamp(min=0).sum(1).tolist()
    weight = [max(m, 1e-12) ** tau for m in mass]
    budget = [min(math.floor(count * w / sum(weight) + 0.5), capacity) for w in weight]
    up, down = sorted(range(layers), key=lambda l: (-mass[l], l)), sorted(range(layers), key=lambda l: (mass[l], l))
    while sum(budget) != count:
        step = 1 if sum(budget) < count else -1
        for l in up if step == 1 else down:
            if sum(budget) != count and 0 <= budget[l] + step <= capacity:
                budget[l] += step
    return {l: sorted(sorted(range(capacity), key=lambda h: (-scores[l, h].item(), h))[:k]) for l, k in enumerate(budget) if k}
