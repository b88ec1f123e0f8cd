"""One encoder for BERT and XLM-RoBERTa, on packed tokens.

Sizes in comments: T tokens of n sequences, hidden width d, H heads of width h, intermediate width f.
The formulas are those of transformers' `modeling_bert.py` and `modeling_xlm_roberta.py` (post-norm blocks).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.weights import Checkpoint
from .config import EncoderConfig
from .ops import Ops
from .packed import AttentionKind, Packed, attend_all
from .pointwise import add_layer_norm

if TYPE_CHECKING:
    from typing_extensions import Self

_PREFIX = re.compile(r"^(bert|roberta)\.")
# other spellings: BERT's first checkpoints, and the flash-attention layout of jina-reranker-v2, whose names map one to
# one (the table agrees with vLLM's `jina_to_vllm_mapper` and jinaai's convert_roberta_weights_to_flash.py)
_SPELLINGS = {
    "LayerNorm.gamma": "LayerNorm.weight",
    "LayerNorm.beta": "LayerNorm.bias",
    "emb_ln.": "embeddings.LayerNorm.",
    "encoder.layers.": "encoder.layer.",
    ".mixer.Wqkv.": ".attention.self.qkv.",
    ".mixer.out_proj.": ".attention.output.dense.",
    ".norm1.": ".attention.output.LayerNorm.",
    ".mlp.fc1.": ".intermediate.dense.",
    ".mlp.fc2.": ".output.dense.",
    ".norm2.": ".output.LayerNorm.",
}
# what a checkpoint may have beyond the encoder: tables that are computed, heads of pre-training
_UNUSED = re.compile(r"^((bert|roberta)\.)?(embeddings\.(position_ids|token_type_ids)$|cls\.|lm_head\.)")
_POOLER = re.compile(r"^((bert|roberta)\.)?pooler\.")


@dataclass
class Layer:
    """Weights of one block; `qkv` stacks the three projections, `parts` has those of queries and of keys and values."""

    qkv: Tensor  # (3d, d)
    qkv_bias: Tensor  # (3d,)
    out: Tensor  # (d, d)
    out_bias: Tensor
    norm1: Tensor
    norm1_bias: Tensor
    up: Tensor  # (f, d)
    up_bias: Tensor
    down: Tensor  # (d, f)
    down_bias: Tensor
    norm2: Tensor
    norm2_bias: Tensor
    parts: tuple[Any, ...] = ()  # where a head needs the first tokens of the last layer only, once `block` was called


class Encoder:
    """Weights on a device, and the forward pass over packed sequences.

    `attention` chooses the kernel (see `packed.attend_all`); it does not change a score beyond rounding.
    """

    def __init__(self, config: EncoderConfig, dtype: torch.dtype, device: torch.device) -> None:
        """Make weights of the configured shape, not filled yet; use `load` or `random`."""
        self.config, self.dtype, self.device = config, dtype, device
        self.attention: AttentionKind = "auto"
        d, f = config.hidden, config.intermediate

        def new(*shape: int, kind: torch.dtype = dtype) -> Tensor:
            return torch.empty(shape, dtype=kind, device=device)

        self.words, self.positions, self.types = (
            new(rows, d) for rows in (config.vocab, config.max_positions, config.token_types)
        )
        self.norm, self.norm_bias = new(d), new(d)
        self.layers = [
            Layer(
                *(new(3 * d, d), new(3 * d), new(d, d), new(d), new(d), new(d)),
                *(new(f, d), new(f), new(d, f), new(d), new(d), new(d)),
            )
            for _ in range(config.layers)
        ]
        # the score head runs in float32 whatever the dtype
        exact = partial(new, kind=torch.float32)
        self.head = [exact(d, d), exact(d), exact(config.labels, d), exact(config.labels)] if config.labels else []

    @classmethod
    def load(cls, folder: Path, config: EncoderConfig, dtype: torch.dtype, device: torch.device) -> Self:
        """Load the encoder of a checkpoint. Raises InputError that names missing, extra or misshapen tensors."""

        def rename(stored: str) -> str:
            name = _PREFIX.sub("", stored)
            for spelling, usual in _SPELLINGS.items():
                name = name.replace(spelling, usual)
            return name

        def ignore(stored: str) -> bool:
            return bool(_UNUSED.match(stored)) or (config.head != "bert" and bool(_POOLER.match(stored)))

        checkpoint = Checkpoint(folder)
        fused = any(".mixer.Wqkv." in stored.name for stored in checkpoint.stored)
        shapes = cls(config, dtype, torch.device("meta")).named_tensors(fused)
        checkpoint.match({name: tuple(tensor.shape) for name, tensor in shapes.items()}, rename, ignore)
        encoder = cls(config, dtype, device)  # takes memory, now that the shapes are known to fit
        checkpoint.fill(encoder.named_tensors(fused))
        return encoder

    @classmethod
    def random(
        cls, config: EncoderConfig, dtype: torch.dtype, device: torch.device, seed: int = 0, scale: float = 0.02
    ) -> Encoder:
        """Return normal random weights, norms at 1 and 0: for timing and tests, never for quality."""
        encoder = cls(config, dtype, device)
        generator = torch.Generator(device).manual_seed(seed)
        for name, tensor in encoder.named_tensors().items():
            if "LayerNorm" in name:
                tensor.fill_(1.0 if name.endswith("weight") else 0.0)
            else:
                tensor.normal_(0.0, scale, generator=generator)
        return encoder

    def named_tensors(self, fused: bool = False) -> dict[str, Tensor]:
        """Return the weights by name on the hub, without the model's prefix; `qkv` in parts (views), or `fused`."""
        named = {
            "embeddings.word_embeddings.weight": self.words,
            "embeddings.position_embeddings.weight": self.positions,
            "embeddings.token_type_embeddings.weight": self.types,
            "embeddings.LayerNorm.weight": self.norm,
            "embeddings.LayerNorm.bias": self.norm_bias,
        }
        for number, layer in enumerate(self.layers):
            at = f"encoder.layer.{number}"
            parts = [("qkv", layer.qkv, layer.qkv_bias)]
            if not fused:
                parts = list(zip(("query", "key", "value"), layer.qkv.chunk(3), layer.qkv_bias.chunk(3)))
            for part, weight, bias in parts:
                named |= {f"{at}.attention.self.{part}.weight": weight, f"{at}.attention.self.{part}.bias": bias}
            for part, weight, bias in (
                ("attention.output.dense", layer.out, layer.out_bias),
                ("attention.output.LayerNorm", layer.norm1, layer.norm1_bias),
                ("intermediate.dense", layer.up, layer.up_bias),
                ("output.dense", layer.down, layer.down_bias),
                ("output.LayerNorm", layer.norm2, layer.norm2_bias),
            ):
                named |= {f"{at}.{part}.weight": weight, f"{at}.{part}.bias": bias}
        return named | dict(zip(self.head_names, self.head))

    @property
    def head_names(self) -> tuple[str, ...]:
        """Names of the tensors of the head, as `head` has them."""
        first, last = ("pooler.dense", "classifier")
        if self.config.head == "roberta":
            first, last = ("classifier.dense", "classifier.out_proj")
        return f"{first}.weight", f"{first}.bias", f"{last}.weight", f"{last}.bias"

    def convert_matrices(self, arrange: Callable[[Tensor], Any]) -> None:
        """Bring the layers' matrices into another form (see `Precision`), one at a time; names are lost."""
        for number, layer in enumerate(self.layers, start=1):
            if number < len(self.layers) or not self.head:
                layer.qkv = arrange(layer.qkv)
            else:
                d = self.config.hidden
                layer.parts = arrange(layer.qkv[:d]), arrange(layer.qkv[d:])
                layer.qkv = layer.qkv.new_empty(0)
            layer.out, layer.up, layer.down = arrange(layer.out), arrange(layer.up), arrange(layer.down)

    def scores(self, batch: Packed, ops: Ops) -> Tensor:
        """Return (n, labels) float32 logits of the classification head on each sequence's first token."""
        x = self._first_states(batch, ops)
        dense, dense_bias, project, project_bias = self.head
        return ops.linear(torch.tanh(ops.linear(x, dense, dense_bias)), project, project_bias)

    def _first_states(self, batch: Packed, ops: Ops) -> Tensor:
        """Return (n, d) float32 states of the first tokens after the last layer."""
        x = self._embed(batch)
        for layer in self.layers[:-1]:
            x = self._block(x, layer, batch, ops)
        return self._block(x, self.layers[-1], batch, ops, first_only=True).float()

    def vectors(
        self, batch: Packed, layers: Sequence[int], pool: Callable[[Tensor], Tensor], ops: Ops
    ) -> dict[int, Tensor]:
        """Return (n, out) by layer (from 1): each sequence's states pooled (see `Packed.pooled`), in one pass."""
        x, pooled = self._embed(batch), {}
        for number, layer in enumerate(self.layers[: max(layers)], start=1):
            x = self._block(x, layer, batch, ops)
            if number in layers:
                pooled[number] = batch.pooled(x, pool)
        return pooled

    def _embed(self, batch: Packed) -> Tensor:
        """Return (T, d): word, position and type embeddings, normalised. No sequence may exceed `config.positions`."""
        config = self.config
        if config.position_offset:  # XLM-RoBERTa counts from the padding id on, and leaves padding tokens out
            padding = config.position_offset - 1
            positions = batch.counted_places(padding) + padding
        else:
            positions = batch.places
        x = F.embedding(batch.ids, self.words) + F.embedding(positions, self.positions)
        x += self.types[0] if batch.types is None else F.embedding(batch.types, self.types)
        return F.layer_norm(x, (config.hidden,), self.norm, self.norm_bias, config.norm_eps)

    def _block(self, x: Tensor, layer: Layer, batch: Packed, ops: Ops, first_only: bool = False) -> Tensor:
        """Run one layer on x (T, d); with `first_only` the result is that of the first tokens alone, (n, d)."""
        config, d = self.config, self.config.hidden
        if first_only:  # keys and values of all tokens, everything else of the first ones
            queries, others = layer.parts or (layer.qkv[:d], layer.qkv[d:])
            kv = ops.linear(x, others, layer.qkv_bias[d:])
            x = x[batch.firsts]
            q = ops.linear(x, queries, layer.qkv_bias[:d]).unflatten(-1, (config.heads, config.head_dim))
            k, v = kv.unflatten(-1, (2, config.heads, config.head_dim)).unbind(1)
        else:
            qkv = ops.linear(x, layer.qkv, layer.qkv_bias)
            q, k, v = qkv.unflatten(-1, (3, config.heads, config.head_dim)).unbind(1)  # (T, H, h) each, views
        seen = self._attend(q, k, v, batch, ops, first_only)  # (T or n, d)
        block, eps = ops.linear(seen, layer.out, layer.out_bias), config.norm_eps
        x = add_layer_norm(x, block, layer.norm1, layer.norm1_bias, eps)
        block = ops.feed(x, (layer.up, layer.up_bias), (layer.down, layer.down_bias), config.activation)
        return add_layer_norm(x, block, layer.norm2, layer.norm2_bias, eps)

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, batch: Packed, ops: Ops, first_only: bool) -> Tensor:
        """Return (rows of q, d) of attention within each sequence; see `attend_all`."""
        return attend_all(q, k, v, batch, ops, self.attention, first_only)
