"""Folders of results on the Hugging Face hub, as a dataset repository: pushed when told to, proven when pulled."""

from __future__ import annotations

import re
import shutil
import tempfile
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...rerankers.errors import InputError, refusing
from ...rerankers.storage.atomic import refuse_odd
from ...rerankers.storage.names import check_name
from ..results import Cell, load_cells

KEPT = ("cells/*", "README.md", ".rerankbench")  # scores and candidates are large, and made again by a run
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Parcel:
    """What a push would send: `files` below `folder`, to `name/` in the repository."""

    folder: Path
    repository: str
    name: str
    files: tuple[Path, ...]
    cells: int

    @property
    def size(self) -> int:
        """Bytes."""
        return sum(file.stat().st_size for file in self.files)


def parcel(folder: Path, repository: str, name: str | None = None) -> Parcel:
    """What of a run's folder is to be sent. Every cell is proven first.

    Raises InputError for a folder without cells, a cell that is damaged, a link in the folder, and names that are none.
    """
    _check_repository(repository)
    cells = load_cells([folder])
    refuse_odd(folder / "cells")
    name = check_name(name or folder.resolve().name)
    files = [path for pattern in KEPT for path in sorted(folder.glob(pattern.replace("/*", "/**/*"))) if path.is_file()]
    return Parcel(folder, repository, name, tuple(files), len(cells))


def push(what: Parcel, *, public: bool = False) -> str:
    """Send it, making the repository if there is none; returns the address of the commit.

    The token is found as the hub's own client finds it (HF_TOKEN, `hf auth login`). Raises InputError when the hub
    refuses.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with _told(what.repository):
        api.create_repo(what.repository, repo_type="dataset", private=not public, exist_ok=True)
        done = api.upload_folder(
            repo_id=what.repository,
            repo_type="dataset",
            folder_path=what.folder,
            path_in_repo=what.name,
            allow_patterns=list(KEPT),
            commit_message=f"rerankbench: {what.name}, {what.cells} cells",
        )
    return str(done.commit_url)


def pull(repository: str, name: str, out: Path, revision: str | None = None) -> list[Cell]:
    """Fetch `name/` of a repository into the folder `out`, which is there only when every cell of it is proven.

    Raises InputError for a folder that is there already, a repository or name that is not, and damaged cells.
    """
    from huggingface_hub import snapshot_download

    _check_repository(repository)
    check_name(name)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise InputError(f"{out}: is there already; choose a folder that is not")
    patterns = [f"{name}/{pattern}" for pattern in KEPT]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pulled-", dir=out.parent) as here:
        with _told(repository):
            snapshot_download(
                repository, repo_type="dataset", revision=revision, allow_patterns=patterns, local_dir=here
            )
        found = Path(here) / name
        if not (found / "cells").is_dir():
            raise InputError(f"{repository}: holds no results called '{name}'")
        refuse_odd(found)
        load_cells([found])
        shutil.copytree(found, out, dirs_exist_ok=True)
    return load_cells([out])


def _check_repository(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(f"repository '{repository:.80}': write it as OWNER/NAME")


def _told(repository: str) -> AbstractContextManager[None]:
    """The hub's refusals, and no way to it, as one line."""
    return refusing(f"{repository}: the hub was not reached or refused", 300)
