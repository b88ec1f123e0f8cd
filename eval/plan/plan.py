"""What an experiment will cost, before anything is fetched, loaded or spent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from ...rerankers import flops
from ...rerankers.checkpoint.hub import is_local
from ...rerankers.errors import InputError
from ...rerankers.registry import family_of, shape_of
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ..data import load_dataset, load_policy
from ..data.catalog import entries
from ..experiment.models import Specs, find_models
from ..experiment.schema import Experiment, RerankerEntry
from ..experiment.stages import DenseSource, ListedSource
from ..first_stage import RetrieverSpec, load_lists, load_retriever
from .lengths import ASSUMED, counted_lengths, published_lengths


@dataclass(frozen=True)
class Size:
    """How much of a dataset there is and is scored. `lengths` states where the mean token counts come from."""

    dataset: str
    documents: int
    queries: int
    pairs: int
    query_tokens: int
    passage_tokens: int
    lengths: str


@dataclass(frozen=True)
class PlannedCell:
    """One cell: its tokens and its reference PFLOPs, both None when the model's shape is unknown."""

    dataset: str
    model: str
    setting: str
    queries: int
    pairs: int
    tokens: int | None
    pflops: float | None


@dataclass(frozen=True)
class PlannedPass:
    """One forward pass over a dataset; as deep as its deepest setting, which it costs."""

    dataset: str
    model: str
    settings: tuple[str, ...]
    pairs: int
    pflops: float | None


@dataclass(frozen=True)
class PlannedEncoding:
    """One corpus that a dense first stage encodes, with the queries; PFLOPs and bytes on disk, None if unknown."""

    dataset: str
    documents: int
    tokens: int
    pflops: float | None
    disk_bytes: int | None


@dataclass(frozen=True)
class Plan:
    """Cells, passes, encodings and downloads of an experiment.

    `unknown` names models whose shape is not known, `unsized` datasets and models whose size is not.
    """

    experiment: str
    sizes: tuple[Size, ...]
    cells: tuple[PlannedCell, ...]
    passes: tuple[PlannedPass, ...]
    encodings: tuple[PlannedEncoding, ...]
    download_bytes: int
    unknown: tuple[str, ...]
    unsized: tuple[str, ...]

    @property
    def pflops(self) -> float:
        """Of all passes of known shape."""
        return sum(pass_.pflops or 0.0 for pass_ in self.passes)

    @property
    def encoding_pflops(self) -> float:
        """PFLOPs of the first stage, where its shape is known."""
        return sum(encoding.pflops or 0.0 for encoding in self.encodings)

    @property
    def disk_bytes(self) -> int:
        """Bytes of the vectors that the first stage stores."""
        return sum(encoding.disk_bytes or 0 for encoding in self.encodings)

    def as_json(self, tflops: float | None) -> dict[str, Any]:
        """Return plain values; `hours` at a sustained speed."""
        return {
            **asdict(self),
            "pairs": sum(pass_.pairs for pass_ in self.passes),
            "pflops": self.pflops,
            "encoding_pflops": self.encoding_pflops,
            "disk_bytes": self.disk_bytes,
            "tflops": tflops,
            "hours": hours(self.pflops + self.encoding_pflops, tflops),
        }


def hours(pflops: float, tflops: float | None) -> float | None:
    """Time at a sustained speed in TFLOP/s; None without one."""
    return pflops * 1000 / tflops / 3600 if tflops else None


def make_plan(
    experiment: Experiment,
    *,
    specs: Specs | None = None,
    limit: int | None = None,
    query_tokens: int | None = None,
    passage_tokens: int | None = None,
) -> Plan:
    """Make the plan of an experiment, from what is known without fetching anything.

    Sizes of published datasets are data. The lengths of datasets that are here (built-in, folders) are estimated from
    their words, those of BEIR from the words that its paper counted; `query_tokens` and `passage_tokens`, which include
    the special tokens, are those of all that are not here, and `ASSUMED` where nothing is known.
    Raises InputError for an unknown model or dataset, or a setting that a model cannot run.
    """
    sizes = [
        _find_size(name, experiment.first_stage.k, limit, query_tokens, passage_tokens) for name in experiment.datasets
    ]
    cells: list[PlannedCell] = []
    passes: list[PlannedPass] = []
    specs = find_models(experiment) if specs is None else specs
    retrievers = _find_retrievers(experiment)
    unknown = [retriever.name for retriever in retrievers if retriever.shape is None]
    for entry, settings in experiment.variants().items():
        spec = specs[entry.label]
        shape = shape_of(spec)
        if shape is None:
            unknown.append(entry.label)
        for size in sizes:
            planned = [_plan_cell(entry, spec, shape, setting, size) for setting in settings]
            cells += planned
            passes += _plan_passes(settings, planned)
    download_bytes, unsized = _sum_downloads(experiment, specs.values(), retrievers)
    return Plan(
        experiment=experiment.name,
        sizes=tuple(sizes),
        cells=tuple(cells),
        passes=tuple(passes),
        encodings=tuple(_plan_encoding(retriever, size) for retriever in retrievers for size in sizes),
        download_bytes=download_bytes,
        unknown=tuple(unknown),
        unsized=unsized,
    )


def _find_size(name: str, k: int, limit: int | None, query_tokens: int | None, passage_tokens: int | None) -> Size:
    if name in entries():
        policy = load_policy(name)
        if policy.n_queries is None or policy.n_docs is None:
            raise InputError(f"dataset '{name}': its number of queries or documents is not known; add it to its policy")
        queries, documents, known = policy.n_queries, policy.n_docs, published_lengths(name)
        counts = query_tokens or passage_tokens
        lengths = "as given" if counts else "published words" if known else "assumed"
        query, passage = known or ASSUMED
        tokens = query_tokens or query, passage_tokens or passage
    else:
        dataset = load_dataset(name)
        queries, documents, lengths = len(dataset.queries), len(dataset), "from words"
        tokens = counted_lengths(dataset)
    queries = min(queries, limit or queries)
    return Size(name, documents, queries, queries * min(k, documents), *tokens, lengths)


def _plan_cell(
    entry: RerankerEntry, spec: ModelSpec, shape: flops.Shape | None, setting: Setting, size: Size
) -> PlannedCell:
    tokens = pflops = None
    if shape is not None:
        rules, options = family_of(spec).text_rules(spec), entry.text_options(load_policy(size.dataset).task)
        text, prompt = rules.resolve(options), rules.count_own_tokens(options)
        query = min(size.query_tokens, text.query_max_length)
        passage = min(size.passage_tokens, text.max_length if shape.apart else text.max_length - query)
        tokens = size.pairs * (query + passage + prompt)
        pflops = size.pairs * int(flops.reference(shape, setting, query, passage, prompt)) / 1e15
    return PlannedCell(size.dataset, entry.label, setting.name, size.queries, size.pairs, tokens, pflops)


def _plan_passes(settings: Sequence[Setting], cells: Sequence[PlannedCell]) -> list[PlannedPass]:
    together: dict[Any, list[PlannedCell]] = {}
    for setting, cell in zip(settings, cells, strict=True):
        together.setdefault(setting.compression, []).append(cell)
    return [
        PlannedPass(
            cells_of_pass[0].dataset,
            cells_of_pass[0].model,
            tuple(cell.setting for cell in cells_of_pass),
            cells_of_pass[0].pairs,
            None if cells_of_pass[0].pflops is None else max(cell.pflops or 0.0 for cell in cells_of_pass),
        )
        for cells_of_pass in together.values()
    ]


def _find_retrievers(experiment: Experiment) -> list[RetrieverSpec]:
    sources = experiment.first_stage.sources
    return [load_retriever(source.retriever) for source in sources if isinstance(source, DenseSource)]


def _plan_encoding(retriever: RetrieverSpec, size: Size) -> PlannedEncoding:
    """Return every document and every query once, at the mean lengths."""
    passage = min(size.passage_tokens, retriever.passage_max_length)
    query = min(size.query_tokens, retriever.query_max_length)
    tokens = size.documents * passage + size.queries * query
    shape, pflops, disk_bytes = retriever.shape, None, None
    if shape is not None:
        pflops = (size.documents * shape.flops(passage) + size.queries * shape.flops(query)) / 1e15
        disk_bytes = size.documents * shape.hidden * (2 if retriever.stored_as == "float16" else 4)
    return PlannedEncoding(size.dataset, size.documents, tokens, pflops, disk_bytes)


def _sum_downloads(
    experiment: Experiment, specs: Iterable[ModelSpec], retrievers: Iterable[RetrieverSpec]
) -> tuple[int, tuple[str, ...]]:
    """Return bytes of datasets and models by their published sizes, what is shared once; and what has no known size."""
    sizes: dict[str, int | None] = {}
    for name in experiment.datasets:
        policy = load_policy(name)
        if name in entries():  # others are here already
            sizes[policy.archive or name] = policy.download_bytes
    fetched = [spec for spec in specs if family_of(spec).has_files]
    for spec in (*fetched, *retrievers):
        if not is_local(spec.source):
            sizes[spec.name] = spec.download_bytes
    for source in experiment.first_stage.sources:
        if isinstance(source, ListedSource):
            sizes[load_lists(source.candidates).name] = None
    unsized = tuple(name for name, size in sizes.items() if size is None)
    return sum(size or 0 for size in sizes.values()), unsized
