"""`rerankbench verify`: do the weights score as published?"""

from __future__ import annotations

from typing import Annotated

import typer

from ..text.sanitize import to_json
from .family_options import Options, parse_options
from .output import emit


def verify(
    model: Annotated[str, typer.Argument(help="A model, as in `rerankbench ls models`, or a specification's path.")],
    golden: Annotated[
        str | None,
        typer.Option(help="YAML file with pairs and their published scores; default: the shipped one of the model."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1.")] = "auto",
    dtype: Annotated[
        str, typer.Option(help="auto (as published on CUDA, float32 on a CPU), float32, bfloat16, float16.")
    ] = "auto",
    option: Options = [],  # noqa: B006  # typer's way to write a list
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Score the few pairs whose scores are published, and compare. Exit status 0: as published, 1: not, 2: unusable.

    Weights are loaded once; a model with policies (see docs/models.md) is scored under each of them. Depth, heads,
    config.json and token ids are checked on the way, memory and speed measured.
    """
    from ...rerankers.options import LoadOptions
    from ...rerankers.registry import choose, find_spec
    from ..verify.golden import golden_of, load_golden
    from ..verify.text import to_text
    from ..verify.verify import verify as run

    spec = choose(find_spec(model), parse_options(option))
    published = load_golden(golden) if golden else golden_of(spec)
    report = run(spec, published, LoadOptions(device=device, dtype=dtype))
    emit(to_json(report.to_json(), indent=2) + "\n" if as_json else to_text(report))
    if not report.passed:
        raise typer.Exit(1)
