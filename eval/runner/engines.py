"""The engine of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from ...rerankers import Reranker
from ...rerankers.options import LoadOptions, TextOptions
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ..data import Dataset
from ..experiment.engines import EngineOptions, LocalOptions
from ..first_stage import LastEncoder
from ..first_stage.dense import MakeEncoder
from .engine import Engine, LocalEngine

Loader = Callable[[ModelSpec, LoadOptions], Reranker]


# loads a model for some texts and settings; InputError when that cannot be done
MakeEngine = Callable[[ModelSpec, LoadOptions, Sequence[TextOptions], Sequence[Setting]], Engine]


@contextmanager
def engines(options: EngineOptions, load: Loader, open_dataset: Callable[[str], Dataset]) -> Iterator[MakeEngine]:
    """Make engines, one model after the other; what they run on lives as long as the context."""
    if isinstance(options, LocalOptions):
        yield lambda model, load_options, texts, settings: LocalEngine(load, model, load_options, texts, settings)
        return
    from .on_ray.engine import RayEngine, cluster

    with cluster(options) as shape:
        yield lambda model, load_options, texts, settings: RayEngine(
            options, shape, load, model, load_options, texts, settings, open_dataset=open_dataset
        )


@contextmanager
def encoders(options: EngineOptions) -> Iterator[MakeEncoder]:
    """Make the encoders of dense first stages, and keep the last one for as long as the context."""
    if isinstance(options, LocalOptions):
        yield LastEncoder()
        return
    from .on_ray.encoder import ray_encoders

    with ray_encoders(options) as make:
        yield make
