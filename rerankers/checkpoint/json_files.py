"""Files of a model folder: JSON objects, and names that stay inside the folder."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..storage.atomic import refuse_irregular
from ..storage.pointers import refuse_pointer


def read_json(path: Path) -> dict[str, Any]:
    """Read the object in a JSON file. Raises InputError when it is absent or not one."""
    content = read_json_value(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: expected a JSON object, found {type(content).__name__}")
    return content


def read_json_value(path: Path) -> Any:
    """Read any value from a JSON file. Raises InputError when it is absent or not JSON."""
    refuse_irregular(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as err:
        raise InputError(f"{path}: not found; a model folder needs it") from err
    except (OSError, ValueError, RecursionError) as err:
        if isinstance(err, ValueError):
            refuse_pointer(path)
        raise InputError(f"{path}: cannot be read as JSON: {one_line(err)}") from err


def inside(folder: Path, name: object, where: Path) -> Path:
    """Return the path of `name` in a folder. Raises InputError when it leads out of it, also by a link.

    A hub cache keeps the files of `snapshots/COMMIT` as links into its own `blobs`; these count as inside.

    Args:
        folder: the model folder.
        name: relative path as a file of the folder states it.
        where: the file that states it, for the message.
    """
    if not isinstance(name, str) or Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
        raise InputError(f"{where}: names {str(name)!r:.80}, which is not a file inside the folder")
    path = folder / name
    try:
        root, target = folder.resolve(), path.resolve()
    except (OSError, RuntimeError, ValueError) as err:
        raise InputError(f"{where}: names {name!r:.80}, which cannot be found: {one_line(err)}") from err
    blobs = root.parent.parent / "blobs" if root.parent.name == "snapshots" else root
    if not (target.is_relative_to(root) or target.is_relative_to(blobs)):
        raise InputError(f"{where}: names {name!r:.80}, a link to a file outside the folder")
    return path
