"""Datasets by name."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from ...rerankers.errors import InputError, suggest
from ...rerankers.storage.cache import cache_folder
from ...rerankers.storage.names import make_name
from ..locks import name_lock
from .archive import fetch_archive
from .catalog import NamedDataset, builtin_folders, entries, folder_policy
from .dataset import Dataset, DatasetInfo, Policy
from .folder import FolderDataset
from .hub import HubSource, fetch_by_beir, fetch_from_hub
from .irds import IrDataset, SourceError


def load_dataset(name: str, *, cache: Path | None = None) -> Dataset:
    """Load the dataset called `name`: `beir/<name>`, `miracl/<language>`, `builtin/<name>` or a folder in BEIR layout.

    Published datasets come through ir_datasets (which stores its files in `$IR_DATASETS_HOME`); BEIR's fall back to
    the publisher's archive from one of the mirrors, then to beir's loader. Some come from the hub (`datasets`).
    A folder is called by its last part.
    `cache` is for indices and fetched archives; the default is `cache_folder()`.

    Raises InputError for an unknown name, a dataset that cannot be fetched, and content that cannot be used.
    """
    cache = cache or cache_folder()
    source = _find(name)
    if isinstance(source, NamedDataset):
        return open_entry(source, cache)
    short = name if name in builtin_folders() else _name_of(source)
    return FolderDataset(short, source, folder_policy(source), cache)


def load_policy(name: str) -> Policy:
    """Load the policy of a dataset, without reading or fetching the dataset.

    Raises InputError for an unknown name.
    """
    source = _find(name)
    return source.policy if isinstance(source, NamedDataset) else folder_policy(source)


def list_datasets() -> list[DatasetInfo]:
    """List all datasets that have a name, sorted."""
    published = [DatasetInfo(entry.name, entry.policy) for entry in entries().values()]
    builtin = [DatasetInfo(name, folder_policy(folder)) for name, folder in builtin_folders().items()]
    return sorted(published + builtin, key=lambda info: info.name)


def open_entry(entry: NamedDataset, cache: Path) -> Dataset:
    """Open a published dataset from the first source that delivers; an archive fetched before stays the source."""
    if entry.hub is not None:
        return _open_hub_dataset(entry, entry.hub, cache)
    if not entry.mirrors:
        try:
            return IrDataset(entry.name, entry.ir_datasets, entry.policy)
        except SourceError as err:
            raise InputError(f"{err}; check the network, or put its files into $IR_DATASETS_HOME") from err
    archive = cache / "archives" / str(entry.policy.archive)
    if not archive.is_dir():
        try:
            return IrDataset(entry.name, entry.ir_datasets, entry.policy)
        except SourceError as first:
            try:
                with name_lock(str(archive)):
                    if not archive.is_dir():  # another process may have fetched it meanwhile
                        _fetch(entry, archive)
            except InputError as second:
                raise InputError(f"{first}; then {second}") from second
    return FolderDataset(entry.name, archive / entry.folder, entry.policy, cache)


def _fetch(entry: NamedDataset, archive: Path) -> None:
    """Fetch the archive from a mirror; else, where it is one dataset, from the publisher's hub repository by beir."""
    try:
        fetch_archive(entry.mirrors, entry.md5, archive)
    except InputError as first:
        if entry.folder != entry.policy.archive:
            raise
        try:
            fetch_by_beir(entry.folder, entry.policy.split, archive / entry.folder)
        except InputError as second:
            raise InputError(f"{first}; then {second}") from second


def _open_hub_dataset(entry: NamedDataset, source: HubSource, cache: Path) -> Dataset:
    folder = cache / "hub" / source.folder
    with name_lock(str(folder)):
        if not folder.is_dir():
            fetch_from_hub(source, entry.policy.split, folder)
    dataset = FolderDataset(entry.name, folder, entry.policy, cache)
    for unit, count, expected in (
        ("documents", len(dataset), entry.policy.n_docs),
        ("judged queries", len(dataset.queries), entry.policy.n_queries),
    ):
        if expected is not None and count != expected:
            raise InputError(
                f"{entry.name}: {count} {unit} instead of {expected}; hub repository '{source.repo}' is not what it "
                f"was, or {folder} is damaged: delete that and run again"
            )
    return dataset


def _name_of(folder: Path) -> str:
    try:
        return make_name(Path(os.path.normpath(folder.absolute())).name)  # a link is called as it was given
    except InputError as err:
        raise InputError(f"{folder}: {err}, by renaming the folder") from err


def _find(name: str) -> NamedDataset | Path:
    if name in entries():
        return entries()[name]
    if name in builtin_folders():
        return builtin_folders()[name]
    if Path(name).is_dir():
        return Path(name)
    if name.startswith((".", "/", "~")) or name.endswith("/"):
        near = difflib.get_close_matches(str(Path(name)), _folders_beside(Path(name)), n=1)
        hint = f" (did you mean '{near[0]}'?)" if near else ""
        raise InputError(f"dataset '{name}': no such folder{hint}; check the path, or see `rerankbench ls datasets`")
    known = [*entries(), *builtin_folders(), *_folders_beside(Path(name))]
    raise InputError(f"dataset '{name}' is unknown and no folder{suggest(name, known)}; see `rerankbench ls datasets`")


def _folders_beside(path: Path) -> list[str]:
    """Return folders with a corpus where a path leads nearly, written as it is."""
    try:
        folders = [beside for beside in path.parent.iterdir() if (beside / "corpus.jsonl").is_file()]
    except OSError:
        return []
    return [str(folder) for folder in folders]
