"""Results for other tools: TREC runs, mteb's result files, a Hugging Face model-index. Nothing is uploaded."""

from __future__ import annotations

import gzip
import json
import logging
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from ...configs import CONFIGS, read
from ...rerankers.errors import InputError
from ...rerankers.storage.atomic import replacing, write_whole
from ..metrics.measures import parse_metric
from ..results import Cell, Manifest

log = logging.getLogger("rerankbench")

Format = Literal["trec", "mteb", "model-index"]
FORMATS: tuple[Format, ...] = ("trec", "mteb", "model-index")
_MAIN = "nDCG@10"


def export(cells: Sequence[Cell], format: str, output: Path, *, plain: bool = False) -> list[Path]:
    """Write cells below `output`; returns the files.

    `trec`: `<dataset>.<model>.<setting>.trec.gz`, without `.gz` when `plain`. `mteb`: a folder that mteb's
    `ResultCache(output)` reads, `results/<model>__<setting>/<revision>/<task>.json` with a `model_meta.json`, for
    datasets that mteb has; the others are logged. `model-index`: `<model>.<setting>.yaml`, the block for a model card.
    Raises InputError for another format, for partial cells in the two formats that publish a score,
    for two cells that would be in one file, and when nothing can be written.
    """
    if format not in FORMATS:
        raise InputError(f"--format {format}: known are {', '.join(FORMATS)}")
    if format != "trec":
        for cell in cells:
            if cell.manifest.partial:
                m = cell.manifest
                raise InputError(f"{cell.path}: partial ({m.partial}), so no score of {m.dataset}; run all its queries")
    _refuse_clashes(cells)
    if plain and format != "trec":
        raise InputError(f"--plain: --format {format} is plain already; it is for trec")
    if format == "trec":
        files = _write_trec(cells, output, plain)
    else:
        files = {"mteb": _write_mteb, "model-index": _write_model_index}[format](cells, output)
    if not files:
        raise InputError(f"--format {format}: none of the {len(cells)} cells can be written so")
    return files


def _refuse_clashes(cells: Iterable[Cell]) -> None:
    seen: dict[tuple[str, str, str], Path] = {}
    for cell in cells:
        m = cell.manifest
        other = seen.setdefault((_file_name(m.dataset), _file_name(m.model), m.setting), cell.path)
        if other != cell.path:
            raise InputError(f"{cell.path} and {other} would be one file; export them to two folders")


def _write_trec(cells: Iterable[Cell], output: Path, plain: bool) -> list[Path]:
    output.mkdir(parents=True, exist_ok=True)
    files = []
    for cell in cells:
        m = cell.manifest
        path = output / f"{_file_name(m.dataset)}.{_file_name(m.model)}.{m.setting}.trec{'' if plain else '.gz'}"
        stored = cell.path / "run.trec.gz"
        with gzip.open(stored) if plain else stored.open("rb") as source, replacing(path) as target:
            shutil.copyfileobj(source, target)
        files.append(path)
    return files


def _write_mteb(cells: Iterable[Cell], output: Path) -> list[Path]:
    known = _read_mteb_tasks()
    results: dict[Path, dict[str, Any]] = {}
    metas: dict[Path, dict[str, Any]] = {}
    left_out: set[str] = set()
    for cell in cells:
        m = cell.manifest
        if m.dataset not in known:
            if m.dataset not in left_out:
                log.warning("%s: mteb has no task of that name; left out", m.dataset)
            left_out.add(m.dataset)
            continue
        task = known[m.dataset]
        revision = str((m.provenance.get("model") or {}).get("revision") or "no_revision_available")
        folder = output / "results" / f"{_file_name(m.model)}__{m.setting}" / _file_name(revision)
        metas[folder / "model_meta.json"] = _make_model_meta(m, revision)
        record = results.setdefault(
            folder / f"{task['task']}.json",
            {
                "dataset_revision": f"rerankbench-{m.identity_parts.get('checksum', '')[:16]}",
                "task_name": task["task"],
                "mteb_version": None,  # mteb did not run it
                "evaluation_time": 0.0,
                "kg_co2_emissions": None,
                "scores": {},
            },
        )
        metrics = _snake_metrics(m.metrics)
        scores = {
            **metrics,
            "hf_subset": task.get("subset", "default"),
            "languages": task.get("languages", ["eng-Latn"]),
        }
        if _MAIN in m.metrics:
            scores["main_score"] = m.metrics[_MAIN]
        record["evaluation_time"] += sum(
            seconds or 0.0 for seconds in (m.cost.tokenise_seconds, m.cost.forward_seconds, m.cost.store_seconds)
        )
        record["scores"].setdefault(_split(m), []).append(scores)
    for path, record in (metas | results).items():
        write_whole(path, json.dumps(record, indent=2))
    return list(results)


def _make_model_meta(m: Manifest, revision: str) -> dict[str, Any]:
    """Return what mteb's loader needs of a model; what a manifest lacks is as configs/mteb_meta.yaml has it."""
    known = m.provenance.get("model") or {}
    of_model = {"n_parameters": known.get("parameters"), "license": known.get("license")}
    return {**read(CONFIGS / "mteb_meta.yaml"), **of_model, "name": f"{m.model}/{m.setting}", "revision": revision}


def _write_model_index(cells: Iterable[Cell], output: Path) -> list[Path]:
    variants: dict[tuple[str, str], list[Manifest]] = {}
    for cell in cells:
        variants.setdefault((cell.manifest.model, cell.manifest.setting), []).append(cell.manifest)
    files = []
    for (model, setting), manifests in variants.items():
        block = {"model-index": [{"name": f"{model} ({setting})", "results": [_make_result(m) for m in manifests]}]}
        path = output / f"{_file_name(model)}.{setting}.yaml"
        with replacing(path) as file:
            file.write(yaml.safe_dump(block, sort_keys=False, allow_unicode=True).encode())
        files.append(path)
    return files


def _make_result(m: Manifest) -> dict[str, Any]:
    """Return one entry of a model-index; values are x 100, as cards have them."""
    names = {value: key for key, value in _read_snake_names(m.metrics).items()}
    return {
        "task": {"type": "text-ranking", "name": "Reranking" if m.setting != "first-stage" else "Retrieval"},
        "dataset": {
            "type": m.dataset,
            "name": m.dataset,
            "split": _split(m),
            "revision": m.identity_parts.get("checksum", ""),
        },
        "metrics": [
            {"type": snake, "name": names[snake], "value": round(100 * value, 4)}
            for snake, value in _snake_metrics(m.metrics).items()
        ],
    }


def _read_snake_names(metrics: Iterable[str]) -> dict[str, str]:
    """Return `nDCG@10` -> `ndcg_at_10`, for the metrics that mteb has."""
    return {name: snake for name in metrics if (snake := parse_metric(name).mteb)}


def _snake_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    return {snake: metrics[name] for name, snake in _read_snake_names(metrics).items()}


def _read_mteb_tasks() -> dict[str, dict[str, Any]]:
    raw = read(CONFIGS / "mteb.yaml")
    return {f"{source}/{name}": task for source, tasks in raw.items() for name, task in tasks.items()}


def _split(m: Manifest) -> str:
    return m.provenance.get("data", {}).get("policy", {}).get("split", "test")


def _file_name(name: str) -> str:
    """Return one part of a path; only a revision, which may be a branch's name, could begin with a dot."""
    return re.sub(r"^\.+|[^A-Za-z0-9_.-]", "-", name)
