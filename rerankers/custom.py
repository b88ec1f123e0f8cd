"""Your own reranker: a class that scores pairs, named `my_module:MyReranker`, or an object at hand.

    class MyReranker(CustomReranker):
        version = "2026-11-26"

        def predict(self, pairs):
            return [len(set(query.split()) & set(passage.split())) for query, passage in pairs]

Nothing of this module has to be inherited: any class with a `version` and a `predict(pairs)` or a
`score(query, passages)` will do.
"""

from __future__ import annotations

import hashlib
import importlib
import inspect
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from .api import Requests
from .errors import InputError, ScoreError, one_line, suggest
from .flops import Shape
from .storage.names import check_name

PLUGINS = "rerankbench.rerankers"  # the entry-point group in which other packages register rerankers

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_][\w.]*")


class CustomReranker:
    """What a reranker of yours states beside `predict(pairs)` or `score(query, passages)`.

    `predict` is given a list of (query, passage), `score` one query and a list of passages; both return one number per
    pair, larger for more relevant, as a list, an array or a tensor. A score must depend on its pair only. Where the
    constructor names `device` or `dtype`, it is given them.

    Attributes:
        version: what distinguishes these scores from others of the same class: change it whenever a score can change.
            Stored results of another version are not used again. Required.
        shape: what a pair costs, for FLOPs; needs `lengths`. None: FLOPs are not counted.
        listwise: for a class whose scores depend on the query's other candidates: how a list is read, in JSON values.
            Part of the identity. Such a class has `score`, which is given a query's whole list, in the order
            of the first stage; see `listwise.py`.
        concurrency: calls of `score` at a time, for classes that wait for a server.
        stop: an event that is set when nobody waits for these calls any longer; None: they run on.
    """

    version: str = ""
    shape: Shape | None = None
    listwise: Mapping[str, Any] | None = None
    concurrency: int = 1
    stop: threading.Event | None = None

    def requests(self) -> Requests | None:
        """Return the requests to a server since the last call; None where there is none."""
        return None

    def lengths(self, pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[int, int]] | None:
        """Return tokens of query and passage of each pair, special tokens included; None: tokens are not counted."""
        return None


class _Versioned(CustomReranker):
    """An object with `predict` and a version that somebody else states."""

    def __init__(self, model: Any, version: str, name: str | None) -> None:
        self.model, self.version = model, version
        self.name = name or type(model).__name__
        self.device = getattr(model, "device", "cpu")

    def predict(self, pairs: Sequence[tuple[str, str]]) -> Any:
        return self.model.predict(pairs)


def with_version(model: Any, version: str, *, name: str | None = None) -> CustomReranker:
    """Return an object that has `predict(pairs)` and no version, a CrossEncoder of sentence-transformers for example.

    Args:
        model: the object. Its scores are taken as they are; CrossEncoder squashes them by default.
        version: as in `CustomReranker`; the folder's name is no version, a commit or a date is.
        name: what tables call it; None: the name of the object's class.
    """
    if not callable(getattr(model, "predict", None)):
        raise InputError(f"{type(model).__name__}: has no `predict(pairs)`; write a class that has one")
    return _Versioned(model, version, name)


def class_of(model: Any) -> type:
    """Return the class of an object, or of the one that `with_version` was given."""
    return type(model.model if isinstance(model, _Versioned) else model)


def is_reference(model: str) -> bool:
    """Return whether a model is named as `module:Class`, `package.module:function`."""
    return _REFERENCE.fullmatch(model) is not None and not Path(model).exists()


@cache
def plugins() -> dict[str, str]:
    """Return where the rerankers are that other packages registered, by name."""
    return {point.name: point.value for point in entry_points(group=PLUGINS)}


def find(reference: str) -> Any:
    """Find the class or function of a reference: its module is on Python's path, else in the current folder.

    Raises InputError when there is no such module or name, or when importing it fails.
    """
    module_name, _, path = reference.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # at the end: a file there must not hide an installed package
    with telling(f"model '{reference}'", InputError):
        try:
            value: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as err:
            if err.name is None or not f"{module_name}.".startswith(f"{err.name}."):
                raise
            raise InputError(
                f"model '{reference}': there is no module '{err.name}' on Python's path or in this folder"
            ) from err
    for part in path.split("."):
        if not hasattr(value, part):
            names = [name for name in vars(value) if not name.startswith("_")]
            raise InputError(f"model '{reference}': '{module_name}' has no '{part}'{suggest(part, names)}")
        value = getattr(value, part)
    if not callable(value):
        raise InputError(f"model '{reference}': expected a class or a function, found {type(value).__name__}")
    return value


def source_hash(reference: str) -> str | None:
    """Return the SHA-256 of the file that has the module of a reference; None where there is no such file.

    It is kept beside a result, to tell that a class changed and its version did not.
    """
    module = sys.modules.get(reference.partition(":")[0])
    file = getattr(module, "__file__", None)
    return hashlib.sha256(Path(file).read_bytes()).hexdigest() if file and Path(file).is_file() else None


def make(reference: str, offers: dict[str, Callable[[], str]]) -> tuple[Any, dict[str, str]]:
    """Call a reference with those offers that it names as parameters; return the object, and what these were.

    Raises InputError when there is no such class or function, or when making the object fails.
    """
    factory = find(reference)
    with telling(f"model '{reference}'", InputError):
        taken = inspect.signature(factory).parameters
        given = {name: offer() for name, offer in offers.items() if name in taken}
        return factory(**given), given


def check(model: Any, where: str) -> None:
    """Raise InputError unless an object has a version, a way to score, and whatever else it states is usable."""
    version = getattr(model, "version", None)
    if not isinstance(version, str) or not version.strip():
        raise InputError(
            f'{where}: states no version; give it `version = "…"`, a text that you change whenever a score can '
            "change, so that results of two versions are not mixed"
        )
    if scorer(model) is None:
        raise InputError(f"{where}: has neither `predict(pairs)` nor `score(query, passages)`")
    if listwise(model) and not callable(getattr(model, "score", None)):
        raise InputError(f"{where}: is listwise, so it needs `score(query, passages)`, which is given a whole list")
    shape = getattr(model, "shape", None)
    if shape is not None and not isinstance(shape, Shape):
        raise InputError(f"{where}: its `shape` is {type(shape).__name__}, expected rerankbench.rerankers.flops.Shape")
    if shape is not None and getattr(type(model), "lengths", CustomReranker.lengths) is CustomReranker.lengths:
        raise InputError(f"{where}: has a `shape` but no `lengths(pairs)`; FLOPs need the tokens of a pair")
    if (name := getattr(model, "name", None)) is not None:
        check_name(str(name))


def scorer(model: Any) -> Callable[[list[tuple[str, list[str]]]], list[Any]] | None:
    """Return what scores some queries with their passages: a list of answers, each for a number of pairs in a row."""
    score, predict = getattr(model, "score", None), getattr(model, "predict", None)
    if callable(predict) and not (listwise(model) and callable(score)):
        return lambda groups: [predict([(query, passage) for query, passages in groups for passage in passages])]
    if not callable(score):
        return None
    calls: Callable[..., Any] = score

    stop = getattr(model, "stop", None) or threading.Event()

    def by_query(groups: list[tuple[str, list[str]]]) -> list[Any]:
        stop.clear()
        with ThreadPoolExecutor(max(1, getattr(model, "concurrency", 1))) as pool:
            try:
                return list(pool.map(lambda group: calls(*group), [group for group in groups if group[1]]))
            except BaseException:  # Ctrl-C, too: the pool waits for the calls that run
                stop.set()
                raise

    return by_query


def listwise(model: Any) -> Mapping[str, Any] | None:
    """Return how an object reads a query's list; None where its scores depend on their pairs alone."""
    return getattr(model, "listwise", None)


@contextmanager
def telling(where: str, kind: type[InputError] | type[ScoreError]) -> Iterator[None]:
    """Raise errors of a user's code as one line, with its file and line."""
    try:
        yield
    except (InputError, ScoreError):
        raise
    except Exception as err:
        last = traceback.extract_tb(err.__traceback__)[-1]
        line = f"{Path(last.filename).name}:{last.lineno}"
        raise kind(f"{where}: {type(err).__name__} at {line}: {one_line(err)}") from err
