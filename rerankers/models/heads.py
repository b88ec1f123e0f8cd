"""What follows the transformer of a sentence-transformers model: pooling, dense layers, norms.

Formulas are those of its modules (sentence-transformers 6.2); everything is computed in float32.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..checkpoint.sentence_transformers import Module, positive, refuse_others, take
from ..checkpoint.weights import load_weights
from ..errors import InputError, refusing, suggest
from .ops import Ops

Step = Callable[[dict[str, Tensor], Ops], None]  # reads and writes vectors (n, width) by name
VECTOR, SCORE = "sentence_embedding", "scores"

_LEGACY = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_ACTIVATION = re.compile(r"^torch\.nn(?:\.modules\.(?:activation|linear))?\.(\w+)$")


def _weighted(x: Tensor) -> Tensor:
    weights = torch.arange(1, x.shape[1] + 1, device=x.device, dtype=torch.float32)
    return (x.float() * weights[:, None]).sum(1) / weights.sum()


_POOLS: dict[str, Callable[[Tensor], Tensor]] = {
    "cls": lambda x: x[:, 0].float(),
    "max": lambda x: x.max(1).values.float(),
    "mean": lambda x: x.mean(1, dtype=torch.float32),
    "mean_sqrt_len_tokens": lambda x: x.sum(1, dtype=torch.float32) / x.shape[1] ** 0.5,
    "weightedmean": _weighted,
    "lasttoken": lambda x: x[:, -1].float(),
}


@dataclass(frozen=True)
class PooledHead:
    """Pooling and what follows it.

    Attributes:
        modes: the poolings whose vectors are joined.
        steps: the modules after it.
        width: of the vector in the end.
        dense: (in, out) of every matrix, for FLOPs.
    """

    modes: tuple[str, ...] = ("mean",)
    steps: tuple[Step, ...] = ()
    width: int = 0
    dense: tuple[tuple[int, int], ...] = ()

    def pool(self, states: Tensor) -> Tensor:
        """Return (count, width) float32 from the states (count, length, hidden) of sequences of one length."""
        return torch.cat([_POOLS[mode](states) for mode in self.modes], dim=-1)

    def apply(self, pooled: Tensor, ops: Ops, name: str = VECTOR) -> Tensor:
        """Return the vectors that the last module leaves under `name`, (n, width) float32."""
        features = {VECTOR: pooled}
        for step in self.steps:
            step(features, ops)
        return features[name]


def read_head(modules: Sequence[Module], hidden: int, device: torch.device, wanted: str = VECTOR) -> PooledHead:
    """Read the head of a folder's modules, weights loaded; without modules the mean.

    Args:
        modules: `Pooling`, then any of `Dense`, `LayerNorm`, `Normalize` and `Dropout`.
        hidden: width of the states.
        device: where vectors are.
        wanted: the name that the last value must have.

    Raises InputError for what is not understood or does not fit.
    """
    if not modules:
        return PooledHead(width=hidden)
    first, *rest = modules
    if first.kind != "Pooling":
        raise InputError(f"{first.where}: module {first.kind} is where Pooling is expected")
    modes = _modes(first)
    widths, steps, dense = {VECTOR: hidden * len(modes)}, [], []
    for module in rest:
        if module.kind not in ("Dense", "LayerNorm", "Normalize", "Dropout"):
            raise InputError(f"{module.where}: module {module.kind} after Pooling is not supported")
        if module.kind == "Dropout":  # does nothing outside training
            continue
        source, target = _names(module, widths)
        if module.kind == "Normalize":
            steps.append(_normalize(source, target))
            widths[target] = widths[source]
        elif module.kind == "LayerNorm":
            steps.append(_layer_norm(module, widths[VECTOR], device))
        else:
            step, shapes = _dense(module, widths[source], source, target, device)
            steps.append(step)
            dense += shapes
            widths[target] = shapes[0][1]
    if wanted not in widths:
        raise InputError(f"{modules[-1].where}: no module writes '{wanted}'")
    return PooledHead(modes, tuple(steps), widths[wanted], tuple(dense))


def activation(name: str | None, where: Any) -> Callable[[Tensor], Tensor]:
    """Return the function of a dotted name in torch.nn on one number of each row, (n,) to (n,).

    It runs on (n, 1), as sentence-transformers' logits are: what is made over the labels of a pair is never made over
    its neighbours. Raises InputError for a name that is not in torch.nn, so that no foreign code runs, and for a
    function whose values are not one for each number, whatever the others are.
    """
    act = _activation(name, str(where), 1)
    return lambda scores: act(scores.unsqueeze(-1)).squeeze(-1)


@cache
def _activation(name: str | None, where: str, width: int) -> Callable[[Tensor], Tensor]:
    """Return the same on rows of that width, (n, width) to (n, width)."""
    match = _ACTIVATION.match(name or "torch.nn.Identity")
    kind = getattr(nn, match[1], None) if match else None
    known = {*nn.modules.activation.__all__, "Identity"}
    if match is None or kind is None or match[1] not in known:
        raise InputError(f"{where}: activation '{name}' is not supported; expected one of torch.nn")
    rows = torch.linspace(-2.0, 3.0, 3 * width).reshape(3, width)
    with refusing(f"{where}: activation '{name}' cannot be used"), torch.no_grad():
        act = kind().eval()
        if getattr(act, "dim", 0) is None:  # softmax and the like, which would choose this one with a warning
            act.dim = -1
        together, alone = act(rows), torch.cat([act(row.unsqueeze(0)) for row in rows])
        if together.shape != rows.shape or not torch.allclose(together, alone, atol=1e-6):
            raise InputError(
                f"{where}: activation '{name}' does not give each row a value of its own, so no score can go through it"
            )
    return act


def _modes(module: Module) -> tuple[str, ...]:
    config, where = module.config, module.where
    sizes = ("embedding_dimension", "word_embedding_dimension")
    refuse_others(config, (*sizes, "pooling_mode", "include_prompt", *_LEGACY), where)
    if not take(config, "include_prompt", bool, where, True):
        raise InputError(f"{where}: include_prompt false (prompts left out of pooling) is not supported")
    mode = take(config, "pooling_mode", (str, list), where)
    if mode is None:
        modes = [name for key, name in _LEGACY.items() if take(config, key, bool, where, False)] or ["mean"]
    else:
        modes = [mode] if isinstance(mode, str) else mode
    for name in modes:
        if name not in _POOLS:
            raise InputError(f"{where}: pooling_mode {name!r:.40} is not supported{suggest(str(name), _POOLS)}")
    if not modes:
        raise InputError(f"{where}: pooling_mode names none")
    return tuple(modes)


def _names(module: Module, widths: Mapping[str, int]) -> tuple[str, str]:
    source = take(module.config, "module_input_name", str, module.where, VECTOR)
    target = take(module.config, "module_output_name", str, module.where, source)
    if source not in widths:
        raise InputError(f"{module.where}: module_input_name '{source}': only a pooled vector can be read")
    return source, target


def _normalize(source: str, target: str) -> Step:
    def step(features: dict[str, Tensor], ops: Ops) -> None:
        features[target] = F.normalize(features[source], dim=-1)

    return step


def _layer_norm(module: Module, width: int, device: torch.device) -> Step:
    refuse_others(module.config, ("dimension",), module.where)
    _fits(module, "dimension", width)
    held = load_weights(module.folder, {"norm.weight": (width,), "norm.bias": (width,)}, torch.float32, device)

    def step(features: dict[str, Tensor], ops: Ops) -> None:
        features[VECTOR] = F.layer_norm(features[VECTOR], (width,), held["norm.weight"], held["norm.bias"])

    return step


def _dense(
    module: Module, width: int, source: str, target: str, device: torch.device
) -> tuple[Step, list[tuple[int, int]]]:
    config, where = module.config, module.where
    names = ("in_features", "out_features", "bias", "activation_function", "use_residual")
    refuse_others(config, (*names, "module_input_name", "module_output_name"), where)
    _fits(module, "in_features", width)
    out = positive(config, "out_features", where)
    if out is None:
        raise InputError(f"{where}: key 'out_features' is missing")
    # Dense's own default is the hyperbolic tangent
    act = _activation(take(config, "activation_function", str, where, "torch.nn.Tanh"), str(where), out)
    shapes: dict[str, tuple[int, ...]] = {"linear.weight": (out, width)}
    if take(config, "bias", bool, where, True):
        shapes["linear.bias"] = (out,)
    residual = take(config, "use_residual", bool, where, False)
    if residual and out != width:
        shapes["residual.weight"] = (out, width)
    held = load_weights(module.folder, shapes, torch.float32, device)

    def step(features: dict[str, Tensor], ops: Ops) -> None:
        x = features[source]
        projected = act(ops.linear(x, held["linear.weight"], held.get("linear.bias")))
        if residual:
            projected = projected + (ops.linear(x, held["residual.weight"]) if "residual.weight" in held else x)
        features[target] = projected

    return step, [(width, out)] * (2 if "residual.weight" in held else 1)


def _fits(module: Module, key: str, width: int) -> None:
    size = positive(module.config, key, module.where)
    if size != width:
        raise InputError(f"{module.where}: {key} is {size}, but what it reads has width {width}")
