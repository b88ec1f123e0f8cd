"""One transformer for the bodies of Llama's kind (Llama, Mistral, Qwen, Gemma, MiniCPM), over packed tokens.

Only what a score needs is computed: in the deepest layer, queries and MLP run for each sequence's last token (unless
all tokens are pooled); a head is some rows of weights on one state; no hidden state outlives its layer.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ..checkpoint.weights import Checkpoint
from .compression import compress
from .config import DecoderConfig
from .decoder_attention import AttentionKind, AttentionSpec, Masks, attend
from .heads import activation
from .layout import Layout, as_index
from .ops import Ops, States, Weights
from .output_rows import OutputRows
from .pointwise import add_block, norm, rms_norm
from .rope import frequencies, rope_tables, rotate


@dataclass(frozen=True)
class Readout:
    """One number per sequence: its state after `layer` layers (of the last token, or the mean), through some rows."""

    layer: int
    output: OutputRows


def score_rows(output: OutputRows, logits: Tensor) -> Tensor:
    """Return scores (sequences,) from the logits of the rows, shape (sequences, rows)."""
    if output.formula == "difference":
        scores = logits[:, 0] - logits[:, 1]
    else:
        scores = (logits.log_softmax(-1) if output.formula == "log_softmax" else logits)[:, 0]
    return activation(output.activation, "an output head")(scores * output.scale)


_ROW = "score.weight"  # the head of a bidirectional model


def decoder_shapes(config: DecoderConfig) -> dict[str, tuple[int, ...]]:
    """Return names and shapes of the weights as the hub's checkpoints have them; a tied vocabulary head is left out."""
    hidden, inner = config.hidden, config.intermediate
    queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
    norms = ["input_layernorm", "post_attention_layernorm"]
    if config.sandwich_norms:
        norms += ["pre_feedforward_layernorm", "post_feedforward_layernorm"]
    layer: dict[str, tuple[int, ...]] = {
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
        **dict.fromkeys(norms, (hidden,)),
    }
    if config.qk_norm:
        layer |= dict.fromkeys(("self_attn.q_norm", "self_attn.k_norm"), (config.head_dim,))
    biased = [
        *(f"self_attn.{part}_proj" for part in "qkv" if config.qkv_bias),
        *(("self_attn.o_proj",) if config.output_bias else ()),
        *(f"mlp.{part}_proj" for part in ("gate", "up", "down") if config.mlp_bias),
    ]
    shapes: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (config.vocab, hidden),
        "model.norm.weight": (hidden,),
    }
    for i in range(config.layers):
        shapes |= {f"model.layers.{i}.{name}.weight": shape for name, shape in layer.items()}
        shapes |= {f"model.layers.{i}.{name}.bias": layer[name][:1] for name in biased}
    if config.bidirectional:
        shapes[_ROW] = (1, hidden)
    elif config.start_layer is not None:
        shapes |= {f"lm_head.{j}.linear_head.weight": (1, hidden) for j in range(len(config.head_layers))}
    elif not config.tied:
        shapes["lm_head.weight"] = (config.vocab, hidden)
    return shapes


def with_own_head(config: DecoderConfig, folder: Path) -> DecoderConfig:
    """Return `config`, not tied where the checkpoint has a vocabulary head beside its embedding that differs from it.

    transformers 5 ties the two only where they are equal, whatever `tie_word_embeddings` is (modeling_utils.py).
    """
    if not config.tied or config.bidirectional or config.start_layer is not None:
        return config
    named = {stored.name: stored for stored in Checkpoint(folder).stored}
    head, embedding = named.get("lm_head.weight"), named.get("model.embed_tokens.weight")
    if head is None or embedding is None:
        return config
    if head.shape == embedding.shape and head.dtype == embedding.dtype:
        both = [torch.empty(stored.shape, dtype=stored.dtype) for stored in (head, embedding)]
        for stored, target in zip((head, embedding), both):
            stored.fill(target)
        if torch.equal(*both):
            return config
    return replace(config, tied=False)


class Decoder:
    """The model. `weights` has the names of `decoder_shapes`, all in one dtype and on one device.

    Args:
        config: shapes and switches.
        weights: tensors by name; taken over as they are, never copied (but the norms, which are kept in float32).
        capped: apply the configured cap on attention scores.
        attention: how attention is computed; see `decoder_attention.py`.
    """

    def __init__(
        self,
        config: DecoderConfig,
        weights: dict[str, Tensor],
        *,
        capped: bool = True,
        attention: AttentionKind = "auto",
    ):
        self.config = config
        self.embedding = weights["model.embed_tokens.weight"]
        self.softcap = config.attention_cap if capped else None
        self.attention: AttentionKind = attention
        self._weights = weights
        # the scale is rounded to the model's dtype, as transformers does (sqrt(3584) = 59.87 is 59.75 in bfloat16)
        self._embedding_scale = float(torch.tensor(config.embedding_scale, dtype=self.embedding.dtype))
        self._norms = {
            name: weight.float() + (1.0 if config.norm_plus_one else 0.0)
            for name, weight in weights.items()
            if name.endswith("norm.weight")
        }
        self._ropes = [config.rope, *([config.local_rope] if config.local_rope else [])]
        self._frequencies = [frequencies(rope, config.head_dim).to(self.embedding.device) for rope in self._ropes]
        if config.bidirectional:
            self._heads = weights[_ROW]
        elif config.start_layer is None:
            self._heads = weights.get("lm_head.weight", self.embedding)
        else:
            rows = [weights[f"lm_head.{j}.linear_head.weight"] for j in range(len(config.head_layers))]
            self._heads = torch.cat(rows).float()

    def with_softcap(self, applied: bool) -> Decoder:
        """Return the same weights, the configured cap on attention scores applied or not."""
        other = copy.copy(self)
        other.softcap = self.config.attention_cap if applied else None
        return other

    def convert_matrices(self, arrange: Callable[[Tensor], Any]) -> None:
        """Bring the layers' matrices into another form (see `Precision`), one at a time."""
        for name in [name for name in self._weights if ".layers." in name and name.endswith("proj.weight")]:
            self._weights[name] = arrange(self._weights.pop(name))

    @torch.inference_mode()
    def forward(
        self,
        ids: Tensor,
        layout: Layout,
        reads: Sequence[Readout],
        ops: Ops,
        *,
        ratio: int = 1,
        compress_layers: Sequence[int] = (),
    ) -> Tensor:
        """Return scores of every sequence for every read.

        Args:
            ids: token ids, int64, shape (rows,), in the order of `layout`.
            layout: boundaries of the packed batch.
            reads: what to read on the way; the pass stops at the deepest.
            ops: counts the FLOPs.
            ratio: how many passage states become one.
            compress_layers: layers before which that happens; 0 never counts.

        Returns:
            float32 logits, shape (reads, sequences).
        """
        config = self.config
        wanted = {read.layer for read in reads}
        deepest = max(wanted)
        final: dict[int, Tensor] = {}
        x = F.embedding(ids, self.embedding) * self._embedding_scale
        masks = Masks(layout.longest, x.dtype, x.device)
        tables = self._make_tables(layout)
        last = as_index(layout.last, x.device)
        for i in range(deepest):
            if i in wanted:
                final[i] = self._final(x, layout, last)
            if i and ratio > 1 and i in compress_layers:
                x, layout = compress(x, layout, ratio)
                tables = self._make_tables(layout)
                last = as_index(layout.last, x.device)
            only = i == deepest - 1 and not config.bidirectional
            x = self._layer(i, x, layout, tables, last if only else None, masks, ops)
        final[deepest] = self._final(x, layout, None if deepest and not config.bidirectional else last)
        return torch.stack(
            [score_rows(read.output, self._logits(final[read.layer], read.output.rows, ops)) for read in reads]
        )

    @torch.inference_mode()
    def states(self, ids: Tensor, layout: Layout, at: Tensor, ops: Ops) -> Tensor:
        """Return normed float32 states (tokens, hidden) after all layers, of the rows `at` of a packed batch."""
        x = F.embedding(ids, self.embedding) * self._embedding_scale
        masks, tables = Masks(layout.longest, x.dtype, x.device), self._make_tables(layout)
        for i in range(self.config.layers):
            x = self._layer(i, x, layout, tables, None, masks, ops)
        return rms_norm(x[at].float(), self._norms["model.norm.weight"], self.config.norm_eps)

    def _make_tables(self, layout: Layout) -> list[tuple[Tensor, Tensor]]:
        """Return the tables of layers that see everything, then of those that slide."""
        positions = as_index(layout.positions, self.embedding.device)
        return [
            rope_tables(positions, *own) for own in zip(self._frequencies, (r.attention_factor for r in self._ropes))
        ]

    def _final(self, x: Tensor, layout: Layout, last: Tensor | None) -> Tensor:
        """Return what a head reads of states x (rows, hidden), or of those of `last` tokens alone when it is None.

        Float32 of shape (sequences, hidden): the normed state of the last token, or the mean of all normed states.
        """
        pools = self.config.bidirectional
        picked = x if pools or last is None else x[last]
        normed = rms_norm(picked.float(), self._norms["model.norm.weight"], self.config.norm_eps)
        if not pools:
            return normed
        return torch.segment_reduce(normed, "mean", lengths=as_index(layout.lengths, x.device), axis=0)

    def _logits(self, state: Tensor, rows: tuple[int, ...], ops: Ops) -> Tensor:
        """State (sequences, hidden) through some rows of the output head, in float32: shape (sequences, rows)."""
        cap = self.config.final_softcap
        if self.config.start_layer is None:
            state = state * self.config.logit_scale
        logits = ops.linear(state, self._heads[list(rows)].float())
        return logits if cap is None else cap * torch.tanh(logits / cap)

    def _layer(
        self,
        index: int,
        x: Tensor,
        layout: Layout,
        tables: list[tuple[Tensor, Tensor]],
        last: Tensor | None,
        masks: Masks,
        ops: Ops,
    ) -> Tensor:
        """Run one block on x (rows, hidden). With `last` given, only those rows come out: (sequences, hidden)."""
        config, name, weights = self.config, f"model.layers.{index}.", self._weights

        def matrix(part: str) -> Weights:
            return weights[f"{name}{part}.weight"], weights.get(f"{name}{part}.bias")

        def weight(part: str) -> Tensor:
            return self._norms[f"{name}{part}.weight"]

        def heads(x: States, part: str) -> Tensor:
            projected = ops.linear(x, *matrix(f"self_attn.{part}_proj")).unflatten(-1, (-1, config.head_dim))
            normed = config.qk_norm and part != "v"
            return norm(projected, weight(f"self_attn.{part}_norm"), config.norm_eps) if normed else projected

        cos, sin = tables[-1 if index in config.sliding_layers else 0]
        normed = norm(x, weight("input_layernorm"), config.norm_eps)
        read = ops.shared(normed, *(matrix(f"self_attn.{part}_proj")[0] for part in "qkv"))
        k, v = rotate(heads(read, "k"), cos, sin), heads(read, "v")
        if last is not None:
            x, read, cos, sin = x[last], normed[last], cos[last], sin[last]
        q = rotate(heads(read, "q"), cos, sin)
        spec = AttentionSpec(
            scale=config.query_scale,
            softcap=self.softcap,
            window=config.sliding_window if index in config.sliding_layers else None,
            last_only=last is not None,
            kind=self.attention,
            causal=not config.bidirectional,
        )
        attended = attend(q, k, v, layout, spec, masks, ops)
        block = ops.linear(attended.flatten(1), *matrix("self_attn.o_proj"))
        eps, scale = config.norm_eps, config.residual_scale
        if config.sandwich_norms:
            after, before = weight("post_attention_layernorm"), weight("pre_feedforward_layernorm")
            last_norm = weight("post_feedforward_layernorm")
        else:
            after, before, last_norm = None, weight("post_attention_layernorm"), None
        x, normed = add_block(x, block, scale, after, before, eps)
        gate, up, down = (matrix(f"mlp.{part}_proj") for part in ("gate", "up", "down"))
        block = ops.feed(normed, up, down, config.activation, gate)
        return add_block(x, block, scale, last_norm, None, eps)[0]
