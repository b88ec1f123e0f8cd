"""Every model of an experiment against its published pairs, once: what was met is remembered beside the results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

from ...configs import CONFIGS
from ...rerankers.checkpoint.hub import resolve
from ...rerankers.errors import InputError
from ...rerankers.options import LoadOptions
from ...rerankers.spec import ModelSpec
from ...rerankers.storage.atomic import write_whole
from ...rerankers.storage.digests import hash_json
from ..experiment.models import Specs
from ..experiment.schema import Experiment
from ..verify.golden import load_golden
from ..verify.verify import Verification, verify

FILE = "verified.json"


def verify_models(
    experiment: Experiment,
    specs: Specs,
    out: Path,
    goldens: Path | None,
    tell: Callable[[str, Verification | str], None],
) -> list[str]:
    """Verify models not verified before; return names of those that are off. `tell` gets each result, or why none.

    Options are those of the experiment's entries, dtype among them.
    """
    verified, off = _read_verified(out / FILE), []
    for entry in experiment.variants():
        spec = specs[entry.label]
        file = (goldens or CONFIGS / "golden") / f"{spec.name}.yaml"
        if not file.is_file():
            tell(entry.label, "no published score of a single pair is known; not verified")
            continue
        options = experiment.load_options(entry)
        key = _make_key(spec, file, options)
        if verified.get(entry.label) == key:
            tell(entry.label, "was verified before; the same weights, pairs and options")
            continue
        report = verify(spec, load_golden(str(file)), options)
        tell(entry.label, report)
        if report.passed:
            verified[entry.label] = key
            write_whole(out / FILE, json.dumps(verified, indent=1, sort_keys=True) + "\n")
        else:
            off.append(entry.label)
    return off


def _make_key(spec: ModelSpec, golden: Path, options: LoadOptions) -> str:
    parts = {
        "weights": resolve(spec.source, spec.revision).identity,
        "golden": hashlib.sha256(golden.read_bytes()).hexdigest(),
        "options": {"dtype": options.dtype, **spec.options},
    }
    return hash_json(parts)


def _read_verified(file: Path) -> dict[str, str]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as err:
        raise InputError(f"{file}: cannot be read as JSON; delete it, and models are verified again") from err
    return content if isinstance(content, dict) else {}
