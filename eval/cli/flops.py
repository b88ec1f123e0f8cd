"""`rerankbench flops`: what a pair costs, from the configuration alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .bounds import MOST_TOKENS
from .family_options import Options, parse_options

if TYPE_CHECKING:
    from ...rerankers.settings import Setting


def flops(
    model: Annotated[str, typer.Argument(help="Model name, YAML specification, or folder with a config.json.")],
    query_tokens: Annotated[
        int, typer.Option(min=1, max=MOST_TOKENS, help="Query tokens, with BOS and the separator after the query.")
    ] = 20,
    passage_tokens: Annotated[
        int, typer.Option(min=0, max=MOST_TOKENS, help="Passage tokens; in encoders with its specials.")
    ] = 150,
    prompt_tokens: Annotated[
        int | None,
        typer.Option(
            min=0, max=MOST_TOKENS, help="Tokens after the pair; default: an estimate from the model's prompt."
        ),
    ] = None,
    cutoff_layer: Annotated[int | None, typer.Option(help="Score after this layer; default all layers.")] = None,
    compress_ratio: Annotated[int, typer.Option(help="Passage tokens that become one.")] = 1,
    compress_layers: Annotated[str | None, typer.Option(help="Layers before which to compress: 8 or 24,40.")] = None,
    device: Annotated[str | None, typer.Option(help="Time at the peak of a device in configs/devices.yaml.")] = None,
    tflops: Annotated[float | None, typer.Option(help="Time at this many TFLOP/s.")] = None,
    causal: Annotated[
        bool, typer.Option("--causal", help="Count only the query-key products that a causal mask keeps.")
    ] = False,
    option: Options = [],  # noqa: B006  # typer's way to write a list
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """FLOPs of one pair: 2 per multiply-add of matrix products, embeddings excluded, head included.

    Needs no weights. See docs/flops.md for the conventions.
    """
    from ..hardware.devices import find_speed
    from ..plan.pair import count_pair

    setting = parse_setting(cutoff_layer, compress_ratio, compress_layers)
    tokens, options = (query_tokens, passage_tokens, prompt_tokens), parse_options(option)
    report = count_pair(model, setting, tokens, causal, find_speed(device, tflops), options)
    print(json.dumps(report, indent=2) if as_json else _text(report))


def parse_setting(cutoff_layer: int | None, compress_ratio: int, compress_layers: str | None) -> Setting:
    """The setting that the three options write. Raises InputError when they do not fit together."""
    from ...rerankers.errors import InputError
    from ...rerankers.settings import Setting

    try:
        layers = tuple(int(layer) for layer in compress_layers.split(",")) if compress_layers else ()
    except ValueError as err:
        raise InputError(f"--compress-layers '{compress_layers}': expected layer numbers such as 8 or 24,40") from err
    if compress_ratio > 1 and not layers:
        raise InputError(f"--compress-ratio {compress_ratio}: say where, for example --compress-layers 8")
    if layers and compress_ratio == 1:
        raise InputError(f"--compress-layers {compress_layers}: say how much, for example --compress-ratio 2")
    return Setting(cutoff_layer, compress_ratio, layers)


def _text(report: dict[str, Any]) -> str:
    tokens, layer, head = report["tokens"], report["layer"], report["head"]
    path = " + ".join(f"{run['layers']} layers x {run['tokens']} tokens" for run in report["stretches"])
    pairs = "s(s+1)/2" if report["causal"] else "s^2"
    speed = report["tflops"]
    lines = [
        f"{report['model']} ({report['family']}), setting {report['setting']}",
        f"tokens     query {tokens['query']} + passage {tokens['passage']} + prompt {tokens['prompt']}",
        f"runs       {path}",
        f"one layer  {layer['per_token']:,} FLOPs per token + {layer['per_query_key']:,} per query-key pair ({pairs})",
        f"head       {head['per_token']:,} FLOPs per token + {head['per_pair']:,} per pair",
        "",
        f"{'':<10}{'FLOPs per pair':>22}{'of full':>10}" + (f"{f'at {speed:g} TFLOP/s':>20}" if speed else ""),
    ]
    for name in ("full", "reference", "useful"):
        time = f"{report[name] / speed / 1e9:>17.3f} ms" if speed else ""
        lines.append(f"{name:<10}{report[name]:>22,}{report[name] / report['full']:>10.1%}{time}")
    lines += [
        "",
        f"saved        {report['saved']:.1%}  (reference against full)",
        f"saved_naive  {report['saved_naive']:.1%}  (layers x tokens, as if every token were compressed)",
    ]
    return "\n".join(lines)
