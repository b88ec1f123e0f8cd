"""What one kind of reranker is, without the weights of any model. Importing it or a family imports no torch.

A family turns a specification, the files of a model and the options into a loaded reranker. On the way it builds a
frozen plan (`DecoderPlan`, `PairPlan`, …), which an adapter runs without asking back.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import TYPE_CHECKING, Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict

from .architectures.defaults import check_native, completed
from .checkpoint.config_checks import check_config
from .checkpoint.sentence_transformers import StFolder
from .errors import InputError
from .flops import Shape
from .models.config import model_type
from .options import LoadOptions, Truncation
from .prompting.text_rules import TextRules
from .spec import DEFAULT_LENGTH, ModelSpec, files_of
from .validate import validated

if TYPE_CHECKING:
    from .adapters.base import Reranker
    from .checkpoint.hub import Resolved


class FamilyOptions(BaseModel):
    """What can be chosen for the models of one family alone: in a specification, an experiment's entry, or `load`.

    A subclass declares fields with a default, a type and a `description`. What of them can change a score, the family
    puts into the recipe of its plan.

    Attributes:
        policies: fields with a few choices by which the released code of a family differs from its configuration;
            `rerankbench verify` tries each of them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)
    policies: ClassVar[tuple[str, ...]] = ()

    def combinations(self) -> Iterator[dict[str, Any]]:
        """Yield every combination of the policies' choices, the present one first."""
        present = {name: getattr(self, name) for name in self.policies}
        yield present
        choices = [get_args(type(self).model_fields[name].annotation) for name in self.policies]
        for values in product(*choices):
            if (chosen := dict(zip(self.policies, values))) != present:
                yield chosen


@dataclass(frozen=True)
class Tensors:
    """The tensors of a checkpoint: shapes by the hub's names, and the weight at which its norms scale by one."""

    shapes: Mapping[str, tuple[int, ...]]
    unit_norm: float = 1.0


class Family(ABC):
    """One kind of reranker. A subclass in `families/` and a line in `registry.py` are all that a new one needs.

    Attributes:
        name: what specifications call it.
        adapter: name and version; part of every result's identity, to be raised when a score changes.
        score: what its score is, in a few words.
        options: what can be chosen for its models alone.
        architectures: reader of `config.json` by the model types that it runs.
        truncation: how a pair is cut that is too long, where nobody chose.
        has_files: its models are folders, packages or repositories of the hub.
        prompted: its models read a template around the pair, in which an instruction may have a place.
    """

    name: ClassVar[str]
    adapter: ClassVar[str]
    score: ClassVar[str]
    options: ClassVar[type[FamilyOptions]] = FamilyOptions
    architectures: ClassVar[Mapping[str, Callable[[Mapping[str, Any], str], Any]]] = {}
    truncation: ClassVar[Truncation] = "class"
    has_files: ClassVar[bool] = True
    prompted: ClassVar[bool] = False

    @abstractmethod
    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """Return whether this family runs the model of a `config.json` that nobody wrote a specification for.

        `saved` is what sentence-transformers saved beside it.
        """

    @abstractmethod
    def shape(
        self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None
    ) -> Shape | None:
        """Return what a pair costs and which settings there are; None where that is unknown, so FLOPs are not measured.

        `options` None are the family's defaults.
        """

    @abstractmethod
    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> Reranker:
        """Load the model on its device. Raises InputError when the checkpoint does not fit."""

    def choose(self, spec: ModelSpec) -> Any:
        """Return the options of a specification, checked.

        Raises InputError for an unknown one or a value out of range.
        """
        return self.options_in(spec.options, f"model '{spec.name}'")

    def options_in(self, chosen: Mapping[str, Any], where: str) -> Any:
        """Return options by name, checked, with defaults for the others."""
        return validated(self.options, dict(chosen), where)

    def config(self, raw: Mapping[str, Any], where: str = "config.json") -> Any:
        """Return the architecture that a `config.json` describes.

        Raises InputError for a model type of another family, a missing key, or a value that the implementation would
        silently get wrong.
        """
        kind = model_type(raw)
        if kind not in self.architectures:
            known = ", ".join(self.architectures)
            raise InputError(f"{where}: model_type '{kind}' does not fit the family {self.name}, which runs {known}")
        raw = completed(raw, kind)
        check_config(raw, where)
        try:
            check_native(raw, where)
            return self.architectures[str(kind)](raw, where)
        except KeyError as err:
            raise InputError(f"{where}: key {err} is missing") from err

    def obeys(self, raw: Mapping[str, Any]) -> bool:
        """Return whether the reader of a model type that this family runs obeys every key of its `config.json`.

        True for a file that is damaged, too, so that whoever claims it names the damage.
        """
        try:
            self.config(raw)
        except InputError as err:
            return not err.unread
        return True

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """Return how the model's texts are worded and cut."""
        truncation = getattr(self.choose(spec), "truncation", None)
        return TextRules(
            spec.name, max_length=spec.max_length or DEFAULT_LENGTH, truncation=truncation or self.truncation
        )

    def stated_shape(self, spec: ModelSpec) -> Shape | None:
        """Return the shape of a model that has no `config.json`."""
        return None

    def source_hash(self, spec: ModelSpec) -> str | None:
        """Return the SHA-256 of the file with the model's code, where only a stated version identifies that."""
        return None

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """Return what a checkpoint holds, for random ones."""
        raise InputError(f"{where}: no random checkpoint can be written for the family {self.name}")

    def complete(self, spec: ModelSpec, files: Resolved) -> ModelSpec:
        """Return the specification, with what the files state where it states nothing.

        Raises InputError for what has no place in it.
        """
        return spec

    def check_ready(self, spec: ModelSpec) -> None:  # noqa: B027  # most families need nothing
        """Raise InputError for what a model lacks, as far as that shows before any other work."""

    def open(self, spec: ModelSpec, options: LoadOptions) -> Reranker:
        """Open the model of a specification, its files found and loaded. Families without files override it."""
        files = files_of(spec)
        return self.load(replace(spec, revision=files.revision), files, options)


def is_classifier(raw: Mapping[str, Any]) -> bool:
    """Return whether a `config.json` names a class that ends in a classification head."""
    return any("SequenceClassification" in name for name in raw.get("architectures") or ())


def is_plain(saved: StFolder) -> bool:
    """Return whether no module of sentence-transformers is between the model's output and the score."""
    return saved.kind is None or (
        saved.kind == "CrossEncoder" and not saved.modules and saved.task != "text-generation"
    )
