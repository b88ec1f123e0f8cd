"""Folders of results on the Hugging Face hub, as a dataset repository: pushed on command, proven when pulled."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from ...rerankers.errors import InputError, refusing
from ...rerankers.storage.atomic import file_sha256, refuse_odd
from ...rerankers.storage.names import check_name
from ..results import CONTEXTS, EXPECTED, MANIFEST, Cell, context_path, load_cells, load_manifest, read_context

README, MARK = "README.md", ".rerankbench"
KEPT = ("cells/*", f"{CONTEXTS}/*", EXPECTED, MARK)  # scores and candidates are large, and made again by a run
_MARK_TEXT = "fetched by rerankbench pull\n"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Upload:
    """What a push sends: `files`, to `name/` in the repository, as they were proven, and a page that is made from them.

    `files` are paths below `folder`, each with the SHA-256 that it was proven by.
    """

    folder: Path
    repository: str
    name: str
    files: Mapping[Path, str]
    page: str
    cells: int

    @property
    def size(self) -> int:
        """Bytes."""
        return sum((self.folder / file).stat().st_size for file in self.files) + len(self.page.encode())

    @property
    def listed(self) -> list[str]:
        """Paths in the repository of all that is sent."""
        return [f"{self.name}/{path}" for path in (*sorted(map(Path.as_posix, self.files)), MARK, README)]


def plan_upload(folder: Path, repository: str, name: str | None, page: Callable[[Sequence[Cell]], str]) -> Upload:
    """Return what of a run's folder is to be sent: every cell, proven again, and nothing else.

    `page` makes the README of some cells. Raises InputError for a folder without cells, a cell that is damaged, a link
    in the folder, and names that are none.
    """
    _check_repository(repository)
    cells = load_cells([folder], afresh=True)
    refuse_odd(folder / "cells")
    name = check_name(name or folder.resolve().name)
    files = {path.relative_to(folder): proof for cell in cells for path, proof in _proven_files(folder, cell)}
    if (folder / EXPECTED).is_file():
        files[Path(EXPECTED)] = file_sha256(folder / EXPECTED)
    return Upload(folder, repository, name, files, page(cells), len(cells))


def _proven_files(folder: Path, cell: Cell) -> Iterator[tuple[Path, str]]:
    manifest = cell.path / MANIFEST
    proof = file_sha256(manifest)
    if load_manifest(manifest) != cell.manifest:
        raise InputError(f"{manifest}: was changed while it was read; run again")
    yield manifest, proof
    yield from ((cell.path / name, proof) for name, proof in cell.manifest.files.items())
    if cell.manifest.context is not None:
        path = context_path(folder, cell.manifest.context)
        read_context(folder, cell.manifest.context)
        yield path, file_sha256(path)


def push(upload: Upload, *, public: bool = False) -> str:
    """Send it, making the repository if there is none; returns the address of the commit.

    The token is found as the hub's own client finds it (HF_TOKEN, `hf auth login`). Raises InputError when the hub
    refuses, or a file is no longer what was proven.
    """
    from huggingface_hub import HfApi

    api = HfApi()
    with tempfile.TemporaryDirectory() as staged:
        _copy(upload, Path(staged))
        with _refuse_hub_errors(upload.repository):
            api.create_repo(upload.repository, repo_type="dataset", private=not public, exist_ok=True)
            done = api.upload_folder(
                repo_id=upload.repository,
                repo_type="dataset",
                folder_path=staged,
                path_in_repo=upload.name,
                commit_message=f"rerankbench: {upload.name}, {upload.cells} cells",
            )
    return str(done.commit_url)


def _copy(upload: Upload, target: Path) -> None:
    for path, proof in upload.files.items():
        (target / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(upload.folder / path, target / path)
        if file_sha256(target / path) != proof:
            raise InputError(f"{upload.folder / path}: was changed while it was read; run again")
    (target / README).write_text(upload.page, encoding="utf-8")
    (target / MARK).write_text(_MARK_TEXT, encoding="utf-8")


def pull(
    repository: str, name: str, out: Path, page: Callable[[Sequence[Cell]], str], revision: str | None = None
) -> list[Cell]:
    """Fetch `name/` of a repository into the folder `out`, which is there only when every cell of it is proven.

    What no cell has is not copied; the README is written again, by `page`.

    Raises InputError for a folder that is there already, a repository or name that is not, and damaged cells.
    """
    from huggingface_hub import snapshot_download

    _check_repository(repository)
    check_name(name)
    if out.is_symlink() or (out.exists() and (not out.is_dir() or any(out.iterdir()))):
        raise InputError(f"{out}: exists already; choose another folder")
    patterns = [f"{name}/{pattern}" for pattern in KEPT]
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".pulled-", dir=out.parent) as here:
        with _refuse_hub_errors(repository):
            snapshot_download(
                repository, repo_type="dataset", revision=revision, allow_patterns=patterns, local_dir=here
            )
        source = Path(here) / name
        if not (source / "cells").is_dir():
            raise InputError(f"{repository}: has no results called '{name}'")
        refuse_odd(source)
        received = plan_upload(source, repository, name, page)
        _copy(received, Path(here) / "proven")
        shutil.copytree(Path(here) / "proven", out, dirs_exist_ok=True)
    return load_cells([out])


def _check_repository(repository: str) -> None:
    if not _REPOSITORY.fullmatch(repository):
        raise InputError(f"repository '{repository:.80}': write it as OWNER/NAME")


def _refuse_hub_errors(repository: str) -> AbstractContextManager[None]:
    """Raise the hub's refusals, and connection errors, as one line."""
    return refusing(f"{repository}: the hub was not reached or refused", 300)
