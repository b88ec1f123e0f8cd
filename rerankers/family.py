"""What a family says of its models without their weights. Importing it or a family imports no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from .architectures.defaults import check_native, completed
from .checkpoint.config_checks import check_config
from .checkpoint.sentence_transformers import StFolder
from .errors import InputError
from .flops import Shape
from .models.config import model_type
from .options import LoadOptions, ResolvedText, TextOptions, Truncation
from .prompting.template import PromptTemplate
from .spec import DEFAULT_LENGTH, ModelSpec, files_of

if TYPE_CHECKING:
    from .api import Reranker
    from .checkpoint.hub import Resolved


@dataclass(frozen=True)
class Tensors:
    """The tensors of a checkpoint: shapes by the hub's names, and the weight at which its norms scale by one."""

    shapes: Mapping[str, tuple[int, ...]]
    unit_norm: float = 1.0


class Family:
    """One kind of reranker. A subclass in `families/` and a line in `registry.py` are all that a new one needs.

    Attributes:
        name: what specifications call it.
        adapter: name and version; part of every result's identity, to be raised when a score changes.
        architectures: reader of `config.json` by the model types that it runs.
        score: what its score is, in a few words.
        template: what surrounds a pair; None where the tokenizer joins the two texts.
        has_files: its models are folders, packages or repositories of the hub.
        truncation: how a pair is cut that is too long, where neither the text options nor a specification says.
        wording: instruction by task, names of configs/prompts.yaml or texts; a specification's wording comes first.
        spec_keys: keys of a specification that this family reads and others do not.
    """

    name: ClassVar[str]
    adapter: ClassVar[str]
    score: ClassVar[str]
    architectures: ClassVar[Mapping[str, Callable[[Mapping[str, Any], str], Any]]] = {}
    template: ClassVar[PromptTemplate | None] = None
    truncation: ClassVar[Truncation] = "class"
    wording: ClassVar[Mapping[str, str]] = {}
    spec_keys: ClassVar[tuple[str, ...]] = ()
    has_files: ClassVar[bool] = True

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """Whether this family runs the model of a `config.json` that nobody wrote a specification for.

        `saved` is what sentence-transformers saved beside it.
        """
        raise NotImplementedError

    def config(self, raw: Mapping[str, Any], where: str = "config.json") -> Any:
        """The architecture that a `config.json` describes.

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
        """Whether the reader of a model type that this family runs obeys every key of its `config.json`.

        True for a file that is damaged, too, so that whoever claims it names the damage.
        """
        try:
            self.config(raw)
        except InputError as err:
            return not err.unread
        return True

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> Shape | None:
        """What a pair costs and which settings there are; None where that is not known, so FLOPs are not measured."""
        raise NotImplementedError

    def stated_shape(self, spec: ModelSpec) -> Shape | None:
        """The shape of a model that has no `config.json`."""
        return None

    def shape_of(
        self, spec: ModelSpec, raw: Mapping[str, Any], where: str = "config.json", options: LoadOptions | None = None
    ) -> Shape | None:
        """`shape`, where the specification and the options have a say in it."""
        return self.shape(raw, where)

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """What a checkpoint holds, for random ones."""
        raise InputError(f"{where}: no random checkpoint can be written for the family {self.name}")

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """`text` with the model's defaults and wording where nothing was chosen.

        Raises InputError when the model has no wording for the task, or no place for a prompt.
        """
        self.refuse_prompt(spec, text)
        length = text.max_length or spec.max_length or DEFAULT_LENGTH
        truncation = text.truncation or spec.truncation or self.truncation
        return ResolvedText("", length, text.query_max_length or length * 3 // 4, truncation)

    def refuse_prompt(self, spec: ModelSpec, text: TextOptions) -> None:
        """Raise InputError for a prompt that the family has no place for."""
        if self.template is None and text.prompt is not None:
            raise InputError(
                f"model '{spec.name}': the family {self.name} has no prompt; leave out {text.prompt!r:.60}"
            )

    def template_of(self, spec: ModelSpec) -> PromptTemplate | None:
        """`template`, or what the specification says instead."""
        return self.template

    def complete(self, spec: ModelSpec, files: Resolved) -> ModelSpec:
        """The specification with what the files tell where it says nothing. Raises InputError for what has no place."""
        return spec

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """What of a specification can change a score, text options aside: for the identity, JSON values only."""
        return {}

    def policies(self, options: LoadOptions) -> dict[str, str]:
        """Choices of this family that can change a score."""
        return {}

    def under(self, reranker: Reranker, options: LoadOptions) -> Reranker:
        """The reranker with the policies of `options` over the same weights; itself where there are none."""
        return reranker

    def prompt_tokens(self, spec: ModelSpec, text: TextOptions) -> int:
        """Tokens that the template puts around a pair, as `PromptTemplate.own_tokens` estimates them."""
        template = self.template_of(spec)
        return template.own_tokens(self.resolve(spec, text).instruction) if template else 0

    def ready(self, spec: ModelSpec) -> None:
        """Raise InputError for what a model lacks as far as that can be told at once, before any other work."""

    def open(self, spec: ModelSpec, options: LoadOptions) -> Reranker:
        """The model of a specification, its files found and loaded. Families without files say how else."""
        files = files_of(spec)
        return self.load(replace(spec, revision=files.revision), files, options)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> Reranker:
        """The model on its device. Raises InputError when the checkpoint does not fit."""
        raise NotImplementedError


def is_classifier(raw: Mapping[str, Any]) -> bool:
    """Whether a `config.json` names a class that ends in a classification head."""
    return any("SequenceClassification" in name for name in raw.get("architectures") or ())


def is_plain(saved: StFolder) -> bool:
    """Whether nothing of sentence-transformers' own stands between the model's output and the score."""
    return saved.kind is None or (
        saved.kind == "CrossEncoder" and not saved.modules and saved.task != "text-generation"
    )
