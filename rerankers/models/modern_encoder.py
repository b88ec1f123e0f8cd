"""ModernBERT on packed tokens.

Sizes in comments: T tokens of n sequences, hidden width d, H heads of width h, intermediate width f.
The formulas are those of transformers' `modeling_modernbert.py`: norms before a block, none before the first attention;
a gated MLP; rotary positions of two bases; a token of a layer with a window sees those at most `window` away.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.weights import Checkpoint
from .heads import SCORE, PooledHead
from .modern_config import ModernConfig
from .ops import Ops
from .packed import AttentionKind, Packed, attend_all
from .pointwise import add_then_norm
from .rope import frequencies, rope_tables, rotate
from .rope_config import Rope

_PREFIX = re.compile(r"^model\.")
_UNUSED = re.compile(r"^(decoder|head)\.")  # of pre-training, beside an encoder without a classifier
Tables = tuple[Tensor, Tensor]
Bias = Tensor | None


@dataclass
class Layer:
    """Weights of one block: `qkv` stacks the three projections, which `parts` has as those of queries and of keys and
    values; `wi` stacks gate and up, which `mlp` has apart.
    """

    attn_norm: tuple[Tensor, Bias] | None  # None: the first layer has none
    qkv: Tensor  # (3d, d)
    qkv_bias: Bias
    out: Tensor  # (d, d)
    out_bias: Bias
    mlp_norm: tuple[Tensor, Bias]
    wi: Tensor  # (2f, d)
    wi_bias: Bias
    down: Tensor  # (d, f)
    down_bias: Bias
    parts: tuple[Any, ...] = ()  # where a head needs the first tokens of the last layer only, once `block` was called
    mlp: tuple[Any, ...] = field(init=False)  # (f, d) each

    def __post_init__(self) -> None:
        self.mlp = self.wi.chunk(2)


class ModernEncoder:
    """Weights on a device, and the forward pass over packed sequences.

    Attributes:
        attention: chooses the kernel (see `packed.attend_all`); it does not change a score beyond rounding.
        pooler: what reads the states: the configured pooling, or the modules of a sentence-transformers folder.
    """

    def __init__(self, config: ModernConfig, dtype: torch.dtype, device: torch.device) -> None:
        """Make weights of the configured shape, not filled yet; use `load`."""
        self.config, self.dtype, self.device = config, dtype, device
        self.attention: AttentionKind = "auto"
        self.pooler = PooledHead(modes=(config.pooling,))
        d, f = config.hidden, config.intermediate

        def new(*shape: int, kind: torch.dtype = dtype) -> Tensor:
            return torch.empty(shape, dtype=kind, device=device)

        def bias(there: bool, width: int, make: Callable[..., Tensor] = new) -> Bias:
            return make(width) if there else None

        def norm(make: Callable[..., Tensor] = new) -> tuple[Tensor, Bias]:
            return make(d), bias(config.norm_bias, d, make)

        self.words = new(config.vocab, d)
        self.norm, self.final_norm = norm(), norm()
        self.layers = [
            Layer(
                norm() if number else None,
                *(new(3 * d, d), bias(config.attention_bias, 3 * d), new(d, d), bias(config.attention_bias, d)),
                norm(),
                *(new(2 * f, d), bias(config.mlp_bias, 2 * f), new(d, f), bias(config.mlp_bias, d)),
            )
            for number in range(config.layers)
        ]
        # the score head runs in float32 whatever the dtype
        exact = partial(new, kind=torch.float32)
        self.dense, self.dense_bias = exact(d, d), bias(config.head_bias, d, exact)
        self.head_norm = norm(exact)
        self.project, self.project_bias = exact(max(1, config.labels), d), exact(max(1, config.labels))

    @classmethod
    def load(cls, folder: Path, config: ModernConfig, dtype: torch.dtype, device: torch.device) -> ModernEncoder:
        """Load the encoder of a checkpoint. Raises InputError that names missing, extra or misshapen tensors."""

        def ignore(stored: str) -> bool:
            return config.head == "none" and bool(_UNUSED.match(stored))

        shapes = cls(config, dtype, torch.device("meta")).named_tensors()
        checkpoint = Checkpoint(folder).match(
            {name: tuple(tensor.shape) for name, tensor in shapes.items()}, lambda name: _PREFIX.sub("", name), ignore
        )
        encoder = cls(config, dtype, device)  # takes memory, now that the shapes are known to fit
        checkpoint.fill(encoder.named_tensors())
        return encoder

    def named_tensors(self) -> dict[str, Tensor]:
        """Return the weights by their names on the hub, without the prefix that a classifier puts before its body."""
        named: dict[str, Bias] = {"embeddings.tok_embeddings.weight": self.words}

        def add(name: str, weight: Tensor, bias: Bias) -> None:
            named.update({f"{name}.weight": weight, f"{name}.bias": bias})

        add("embeddings.norm", *self.norm)
        for number, layer in enumerate(self.layers):
            at = f"layers.{number}"
            if layer.attn_norm:
                add(f"{at}.attn_norm", *layer.attn_norm)
            add(f"{at}.attn.Wqkv", layer.qkv, layer.qkv_bias)
            add(f"{at}.attn.Wo", layer.out, layer.out_bias)
            add(f"{at}.mlp_norm", *layer.mlp_norm)
            add(f"{at}.mlp.Wi", layer.wi, layer.wi_bias)
            add(f"{at}.mlp.Wo", layer.down, layer.down_bias)
        add("final_norm", *self.final_norm)
        if self.config.head == "classifier":
            add("head.dense", self.dense, self.dense_bias)
            add("head.norm", *self.head_norm)
            add("classifier", self.project, self.project_bias)
        return {name: tensor for name, tensor in named.items() if tensor is not None}

    @property
    def first_only(self) -> bool:
        """Whether the head reads the first token alone."""
        return self.pooler.modes == ("cls",)

    def convert_matrices(self, arrange: Callable[[Tensor], Any]) -> None:
        """Bring the layers' matrices into another form (see `Precision`), one at a time; names are lost."""
        for number, layer in enumerate(self.layers, start=1):
            if number < len(self.layers) or not self.first_only:
                layer.qkv = arrange(layer.qkv)
            else:
                d = self.config.hidden
                layer.parts = arrange(layer.qkv[:d]), arrange(layer.qkv[d:])
                layer.qkv = layer.qkv.new_empty(0)
            layer.out, layer.down = arrange(layer.out), arrange(layer.down)
            layer.mlp = tuple(arrange(part) for part in layer.mlp)
            layer.wi = layer.wi.new_empty(0)

    def scores(self, batch: Packed, ops: Ops) -> Tensor:
        """Return (n, labels) float32 logits of the classification head, or of the modules in its place."""
        x = self._states(batch, ops)
        pooled = x.float() if self.first_only else batch.pooled(x, self.pooler.pool)
        if self.config.head == "none":
            return self.pooler.apply(pooled, ops, SCORE)
        config = self.config
        x = ops.linear(pooled, self.dense, self.dense_bias, config.head_activation)
        x = F.layer_norm(x, (config.hidden,), *self.head_norm, config.norm_eps)
        return ops.linear(x, self.project, self.project_bias)

    def _states(self, batch: Packed, ops: Ops) -> Tensor:
        """Return normalised states after the last layer: (T, d), or (n, d) where only the first tokens are read."""
        config = self.config
        tables = {
            theta: rope_tables(batch.places, frequencies(Rope(theta), config.head_dim).to(batch.ids.device))
            for theta in {config.global_theta, config.local_theta}
        }
        x = F.layer_norm(F.embedding(batch.ids, self.words), (config.hidden,), *self.norm, config.norm_eps)
        read = x  # what the next block reads
        after = [layer.attn_norm for layer in self.layers[1:]]
        for number, (layer, norm) in enumerate(zip(self.layers, [*after, self.final_norm])):
            local = number in config.local_layers
            last = number == config.layers - 1 and self.first_only
            turned = tables[config.local_theta if local else config.global_theta]
            block = self._attention(read, layer, batch, ops, turned, config.window if local else None, last)
            x, read = add_then_norm(x[batch.firsts] if last else x, block, *layer.mlp_norm, config.norm_eps)
            block = self._feed(read, layer, ops)
            assert norm is not None, "only the first layer has no norm before it"
            x, read = add_then_norm(x, block, *norm, config.norm_eps)
        return read

    def _feed(self, x: Tensor, layer: Layer, ops: Ops) -> Tensor:
        biases = (None, None) if layer.wi_bias is None else layer.wi_bias.chunk(2)
        gate, up = zip(layer.mlp, biases)
        return ops.feed(x, up, (layer.down, layer.down_bias), self.config.activation, gate)

    def _attention(
        self, x: Tensor, layer: Layer, batch: Packed, ops: Ops, tables: Tables, window: int | None, last: bool
    ) -> Tensor:
        """Run the attention block on x (T, d); where it is the `last`, of the first tokens alone, (n, d)."""
        config, d, heads = self.config, self.config.hidden, self.config.heads
        if last:  # keys and values of all tokens, queries of the first ones, which are at position 0: not turned
            biases = (None, None) if layer.qkv_bias is None else (layer.qkv_bias[:d], layer.qkv_bias[d:])
            queries, others = layer.parts or (layer.qkv[:d], layer.qkv[d:])
            q = ops.linear(x[batch.firsts], queries, biases[0]).unflatten(-1, (heads, config.head_dim))
            kv = ops.linear(x, others, biases[1]).unflatten(-1, (2 * heads, config.head_dim))
            k, v = rotate(kv[:, :heads], *tables), kv[:, heads:]
        else:
            qkv = ops.linear(x, layer.qkv, layer.qkv_bias).unflatten(-1, (3 * heads, config.head_dim))
            q, k = rotate(qkv[:, : 2 * heads], *tables).chunk(2, dim=1)
            v = qkv[:, 2 * heads :]
        seen = attend_all(q, k, v, batch, ops, self.attention, last, window)  # (T or n, d)
        return ops.linear(seen, layer.out, layer.out_bias)
