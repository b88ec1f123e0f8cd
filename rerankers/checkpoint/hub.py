"""Where a model's files are: a local folder in the hub's layout, a hub id, or weights that a Python package ships."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..errors import InputError, one_line
from ..storage.cache import cache_folder
from .config_checks import check_config
from .fingerprint import as_published, fingerprint
from .json_files import read_json
from .lora import WEIGHTS as ADAPTER_WEIGHTS
from .lora import base_of, identity_of, is_adapter, merge, merged_name
from .sentence_transformers import MODULES, StFolder, module_folders, read_st_folder, transformer_folder
from .weight_files import SINGLE, kind_of_file, shards, weight_files

PACKAGE = "package:"
_SMALL_FILES = ["*.json", "*.txt", "*.model", "*.jinja"]
_OTHER_FORMATS = ["onnx/*", "openvino/*"]
_TOKENIZERS = (
    "tokenizer.json",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
    "spm.model",
    "vocab.txt",
    "vocab.json",
)
_HEADS = ("classifier.", "score.", "classification_head.")  # names of a classifier's weights
_COMMIT = re.compile(r"^[0-9a-f]{40}$")
_HUB_ID = re.compile(r"^[\w.-]+(/[\w.-]+)?$")


@dataclass(frozen=True)
class Resolved:
    """A model's files on this machine.

    Attributes:
        source: as it was given.
        root: the model folder. Everything that is read lies in it.
        revision: commit of the hub repository; None for folders and packages.
        parts: of an adapter merged into its base, the identities of both.
        compared: the repository's code at this commit was compared with what runs here, so `auto_map` is no matter.
    """

    source: str
    root: Path
    revision: str | None = None
    parts: tuple[dict[str, str], ...] = ()
    compared: bool = False

    @cached_property
    def folder(self) -> Path:
        """Holds `config.json`, the weights and the tokenizer: `root`, or a folder of sentence-transformers in it."""
        return transformer_folder(self.root)

    @cached_property
    def saved(self) -> StFolder:
        """What sentence-transformers saved beside them."""
        return read_st_folder(self.root)

    @cached_property
    def config(self) -> dict[str, Any]:
        """The content of `config.json`, checked; without `architectures` the weights show a classifier."""
        path = self.folder / "config.json"
        raw = read_json(path)
        check_config(raw, str(path))
        if self.compared:
            raw.pop("auto_map", None)
        if raw.get("transformers_weights"):  # transformers reads that file, and no other
            raise InputError(
                f"{path}: key 'transformers_weights': weights of other names are not read; rename the file"
            )
        if not raw.get("architectures") and isinstance(raw.get("model_type"), str):
            head = "ForSequenceClassification" if self._holds_head() else "Model"
            raw["architectures"] = [raw["model_type"] + head]
        return raw

    def _holds_head(self) -> bool:
        from .weights import Checkpoint  # imports torch

        try:
            return any(stored.name.startswith(_HEADS) for stored in Checkpoint(self.folder).stored)
        except InputError:  # the shape alone may be wanted; loading the weights raises what is wrong
            return False

    @cached_property
    def fingerprint(self) -> str:
        """Hash of every file that can change a score, whatever the folder is called; see `fingerprint.fingerprint`."""
        return fingerprint(self.root, weight_files(self.folder))

    @property
    def identity(self) -> dict[str, str]:
        """Which weights these are: hub id and commit, or the fingerprint. No path of this machine.

        A commit identifies the files as long as the hub's cache has them under the hashes that the commit names.
        """
        if self.parts:
            return {"weights": identity_of(*self.parts)}
        commit = self.revision is not None and _COMMIT.match(self.revision)
        if commit and as_published(self.root, weight_files(self.folder)):
            return {"source": self.source, "revision": str(self.revision)}
        return {"weights": self.fingerprint}


def is_local(source: str) -> bool:
    """Return whether it is a folder or an installed package, which needs no hub."""
    return source.startswith(PACKAGE) or Path(source).expanduser().is_dir()


def resolve(source: str, revision: str | None = None, cache_dir: str | None = None, *, code: bool = False) -> Resolved:
    """Find a model's files, downloading them if need be (HF_HOME, HF_TOKEN and HF_HUB_OFFLINE are honoured).

    Args:
        source: local folder, hub id, or `package:MODULE`.
        revision: branch, tag or commit of a hub repository.
        cache_dir: where downloads go; None is the hub's own cache.
        code: files with the repository's code are downloaded, too; run it only where the user trusts it.

    Raises InputError, one line, when it is not found, gated, not reachable, or lacks weights or a tokenizer.
    """
    local = Path(source).expanduser()
    if source.startswith(PACKAGE):
        files = Resolved(source, _package_folder(source[len(PACKAGE) :]))
    elif local.is_dir():
        files = Resolved(source, local)
    elif local.exists():
        raise InputError(f"model source '{source}': is {kind_of_file(local)}")
    elif _HUB_ID.match(source) and not source.startswith("."):
        folder = _download(source, revision, cache_dir, code)
        files = Resolved(source, folder, folder.name if _COMMIT.match(folder.name) else revision)
    else:
        raise InputError(f"model source '{source}': no such folder, and not a hub id (owner/name)")
    if (base := base_of(files.root)) is not None:
        files = _merge_into_base(files, resolve(base.source, base.revision, cache_dir))
    read_json(files.folder / "config.json")
    weight_files(files.folder)
    if not any((files.folder / name).is_file() for name in _TOKENIZERS):
        raise InputError(f"{files.folder}: no tokenizer; expected tokenizer.json")
    return files


def _merge_into_base(adapter: Resolved, base: Resolved) -> Resolved:
    """Return the folder in which an adapter is merged into its base."""
    parts = ({"weights": fingerprint(adapter.root, [])}, base.identity)
    target = cache_folder() / "merged" / merged_name(*parts)
    return Resolved(adapter.source, merge(adapter.root, base.folder, target), parts=parts)


def _package_folder(module: str) -> Path:
    try:
        spec = importlib.util.find_spec(module)  # does not import a top-level package
    except (ImportError, ValueError):
        spec = None
    if spec is None or not spec.submodule_search_locations:
        name = module.split(".")[0].replace("_", "-")
        raise InputError(f"source '{PACKAGE}{module}': package is not installed; try: pip install {name}")
    for root in map(Path, spec.submodule_search_locations):
        for config in sorted([*root.glob("config.json"), *root.glob("*/config.json")]):
            if any(config.parent.glob("*.safetensors")) or any(config.parent.glob("*.bin")):
                return config.parent
    raise InputError(f"source '{PACKAGE}{module}': the package has no folder with config.json and weights")


def _weights_of(root: Path) -> Iterator[list[str]]:
    """Yield names of the weight files, in the order in which they are looked for, once the small ones came.

    An index names its shards; files of other names, weights of other formats and strays are never requested.
    """
    if is_adapter(root):
        yield from ([name] for name in ADAPTER_WEIGHTS)
        return
    folder = transformer_folder(root)
    inner = "" if folder == root else f"{folder.relative_to(root).as_posix()}/"
    for single in SINGLE:
        index = folder / f"{single}.index.json"
        if index.is_file():
            yield sorted({f"{inner}{path.name}" for path in shards(index)})
        yield [f"{inner}{single}"]


def _download(repo: str, revision: str | None, cache_dir: str | None, code: bool) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils import (
        GatedRepoError,
        HfHubHTTPError,
        HFValidationError,
        LocalEntryNotFoundError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    def fetch(patterns: Sequence[str], ignore: Sequence[str] = (), at: str | None = None) -> Path:
        return Path(
            snapshot_download(
                repo,
                revision=at or revision,
                cache_dir=cache_dir,
                allow_patterns=list(patterns),
                ignore_patterns=list(ignore),
            )
        )

    at = f"hub repository '{repo}'" + (f" at '{revision}'" if revision else "")
    try:
        folder = fetch([*_SMALL_FILES, *(["*.py"] if code else [])], _OTHER_FORMATS)
        commit = folder.name if _COMMIT.match(folder.name) else None  # so that all files are of one commit
        if (folder / MODULES).is_file() and (modules := module_folders(folder)):
            fetch([f"{name}/*" for name in modules], _OTHER_FORMATS, commit)
        for patterns in _weights_of(folder):
            fetch(patterns, at=commit)
            if any(path.is_file() for name in patterns for path in folder.glob(name)):
                break
        return folder
    except GatedRepoError as err:
        raise InputError(f"{at}: gated; accept its terms on the hub and set HF_TOKEN") from err
    except RevisionNotFoundError as err:
        raise InputError(f"{at}: no such revision") from err
    except RepositoryNotFoundError as err:
        raise InputError(f"{at}: not found, or private; check the name and HF_TOKEN") from err
    except HFValidationError as err:
        raise InputError(f"{at}: not a hub id") from err
    except LocalEntryNotFoundError as err:
        raise InputError(
            f"{at}: not in the local cache and the hub cannot be reached; download it where there is a network "
            "(HF_HOME says where to), or give a local folder"
        ) from err
    except (HfHubHTTPError, OSError) as err:
        raise InputError(f"{at}: download failed: {one_line(err)}") from err
