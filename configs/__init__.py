"""The files that a person changes without programming, and the one way to find and read a YAML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..rerankers.errors import InputError, suggest
from .plain_yaml import load

CONFIGS = Path(__file__).resolve().parent


def names(kind: str) -> list[str]:
    """Names of one kind that come with the package (`models`, `experiments`, `retrievers`, `published`), sorted."""
    return sorted(path.stem for path in (CONFIGS / kind).glob("*.yaml"))


def find(kind: str, name: str, called: str, also: tuple[str, ...] = ()) -> Path:
    """The file of a name, or the path of a YAML file itself.

    `called` is what an error calls it, for example `model`; `also` are names that it may suggest beside those of files.
    Raises InputError for a file that is not there, and for an unknown name with the nearest known one.
    """
    if name.endswith((".yaml", ".yml")) or name.startswith((".", "/", "~")):
        if not Path(name).is_file():
            raise InputError(f"{called} '{name}': no such file; `rerankbench ls {kind}` lists those included")
        return Path(name)
    if name not in names(kind):
        raise InputError(f"{called} '{name}' is unknown{suggest(name, [*names(kind), *also])}")
    return CONFIGS / kind / f"{name}.yaml"


def read(file: Path) -> dict[str, Any]:
    """Keys and values of a YAML file. Raises InputError when it cannot be read or holds anything else."""
    if file.exists() and not file.is_file():
        raise InputError(f"{file}: is no regular file; give a YAML file")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as err:
        raise InputError(f"{file}: cannot be read: {getattr(err, 'strerror', None) or err}") from err
    raw = parse(text, str(file))
    if not isinstance(raw, dict):
        raise InputError(f"{file}: expected keys and values, found {type(raw).__name__}")
    return raw


def parse(text: str, where: str) -> Any:
    """The value that a YAML text writes; see `plain_yaml`. Raises InputError: `where: not valid YAML: fault`."""
    try:
        return load(text)
    except ValueError as err:
        raise InputError(f"{where}: not valid YAML: {err}") from err
