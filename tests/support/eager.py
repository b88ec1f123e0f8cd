"""The published forward passes, one pair at a time, in matrix products that a counter sees.

Attention is plain `q @ k.T` and `weights @ v` with the key heads repeated: FlopCounterMode counts fused attention on
CPU as 0, and grouped heads in it wrongly. Nothing here is fast; nothing of `rerankbench` but the configuration is used.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from rerankbench.rerankers.models.config import DecoderConfig, EncoderConfig
from rerankbench.rerankers.settings import Setting
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode


def counted(config: DecoderConfig | EncoderConfig, family: str, setting: Setting, q: int, p: int, prompt: int) -> int:
    """FLOPs that the counter sees in the forward pass of one pair."""
    torch.manual_seed(0)
    with FlopCounterMode(display=False) as counter:
        if isinstance(config, DecoderConfig):
            decoder(config, setting, q, p, prompt)
        elif family == "bi-encoder":
            one, other = (encoder(config, setting, s).mean(0) for s in (q, p))
            _ = one[None] @ other[:, None]
        else:
            first = encoder(config, setting, q + p)[:1]
            hidden = torch.tanh(F.linear(first, torch.randn(config.hidden, config.hidden), torch.zeros(config.hidden)))
            F.linear(hidden, torch.randn(config.labels, config.hidden), torch.zeros(config.labels))
    return counter.get_total_flops()


def decoder(config: DecoderConfig, setting: Setting, q: int, p: int, prompt: int) -> Tensor:
    """Logits of the last position: the head runs at every position, as in the published code."""
    x, _ = trunk(config, setting, torch.randn(q + p + prompt, config.hidden), (q, p, prompt))
    return decoder_head(config, x)


def trunk(
    config: DecoderConfig,
    setting: Setting,
    x: Tensor,
    lengths: tuple[int, int, int],
    layers: tuple[int, int] = (0, 10**6),
) -> tuple[Tensor, tuple[int, int, int]]:
    """States (s, hidden) after some of a setting's layers, and how many tokens of each part are left in them."""
    d, h = config.hidden, config.head_dim
    q, p, prompt = lengths
    for index in range(layers[0], min(layers[1], config.layers)):
        if index == setting.cutoff_layer:
            break
        if index in setting.compress_layers and index != 0:
            x = torch.cat([x[:q], compress(x[q : q + p], setting.compress_ratio), x[q + p :]])
            p = len(x) - q - prompt
        normed = norm(x)
        query = rotate(heads(normed, config.heads, h))
        key = rotate(heads(normed, config.kv_heads, h)).repeat_interleave(config.heads // config.kv_heads, 0)
        value = heads(normed, config.kv_heads, h).repeat_interleave(config.heads // config.kv_heads, 0)
        future = None if config.bidirectional else torch.ones(len(x), len(x), dtype=torch.bool).triu(1)
        x = x + linear(attention(query, key, value, future), d)
        normed = norm(x)
        x = x + linear(F.silu(linear(normed, config.intermediate)) * linear(normed, config.intermediate), d)
    return x, (q, p, prompt)


def decoder_head(config: DecoderConfig, x: Tensor) -> Tensor:
    """What the head makes of the states of a pair."""
    if config.bidirectional:
        return linear(norm(x).mean(0, keepdim=True), 1)[-1]
    return linear(norm(x), config.vocab if config.start_layer is None else 1)[-1]


def encoder(config: EncoderConfig, setting: Setting, s: int) -> Tensor:
    """Hidden states of one text (s, hidden)."""
    d, n = config.hidden, config.heads
    x = torch.randn(s, d)
    for _ in range(setting.cutoff_layer or config.layers):
        query, key, value = (heads(x, n, d // n) for _ in range(3))
        x = F.layer_norm(x + linear(attention(query, key, value), d), (d,))
        x = F.layer_norm(x + linear(F.gelu(linear(x, config.intermediate)), d), (d,))
    return x


def compress(passage: Tensor, ratio: int) -> Tensor:
    """Means of `ratio` neighbouring states (p, d); the last group may be smaller."""
    return torch.stack([group.mean(0) for group in passage.split(ratio)]) if len(passage) else passage


def attention(query: Tensor, key: Tensor, value: Tensor, masked: Tensor | None = None) -> Tensor:
    """Dense attention of (heads, s, head_dim) states: masked products are computed, then thrown away."""
    scores = query @ key.mT
    if masked is not None:
        scores = scores.masked_fill(masked, -torch.inf)
    return (scores.softmax(-1) @ value).transpose(0, 1).flatten(1)


def heads(x: Tensor, n: int, h: int) -> Tensor:
    return linear(x, n * h).view(len(x), n, h).transpose(0, 1)


def linear(x: Tensor, out: int) -> Tensor:
    return F.linear(x, torch.randn(out, x.shape[-1]) / x.shape[-1] ** 0.5)


def norm(x: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6)


def rotate(x: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    angle = torch.arange(x.shape[1])[:, None] * 10000.0 ** (-torch.arange(half) / half)
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * angle.cos() - b * angle.sin(), b * angle.cos() + a * angle.sin()], -1)
