"""What the four classes of `flag.py` share: construction, instructions, and the pairs gathered by query."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import torch

from ..adapters.base import Reranker, sigmoid
from ..adapters.decoder import DecoderAdapter, Pass
from ..api import Group, Prepared
from ..errors import InputError, suggest
from ..family import Family
from ..groups import gather
from ..options import LoadOptions, TextOptions
from ..prompting.template import PromptTemplate
from ..registry import load_spec
from ..spec import ModelSpec, files_of, list_models

log = logging.getLogger("rerankbench")

_WRITTEN_OUT = PromptTemplate(query="{query}", passage="{passage}")  # the texts come with their instructions

Pairs = Sequence[Sequence[str]] | Sequence[str]
Scores = list[float]

# no effect here: batches are planned by tokens and texts are tokenised in this process, and no score depends on it;
# no code of a hub repository is ever needed
_WITHOUT_EFFECT = ("batch_size", "use_dataloader", "num_workers", "trust_remote_code")


class FlagBase:
    """Construction and text handling that the four classes share.

    Args:
        model_name_or_path: a name of `rerankbench ls models`, a hub id or a local folder.
        use_fp16: float16 on a GPU; on a CPU it stays float32, as in the reference.
        use_bf16: bfloat16.
        query_instruction_for_rerank, passage_instruction_for_rerank: put before the texts with the `_format`s.
        cache_dir: where downloads go.
        devices: `cpu`, `cuda:0`, 0, or a list of which the first is used; None takes a GPU if there is one.
        query_max_length: None is three quarters of `max_length`.
        max_length: default of `compute_score`, as are `normalize` and `prompt`.
        options: those of the model's family (`rerankbench ls families`); batch_size, use_dataloader, num_workers and
            trust_remote_code have no effect.
    """

    family: ClassVar[Family]

    def __init__(
        self,
        model_name_or_path: str,
        *,
        use_fp16: bool = False,
        use_bf16: bool = False,
        query_instruction_for_rerank: str | None = None,
        query_instruction_format: str = "{}{}",
        passage_instruction_for_rerank: str | None = None,
        passage_instruction_format: str = "{}{}",
        cache_dir: str | None = None,
        devices: str | int | Sequence[str] | Sequence[int] | None = None,
        query_max_length: int | None = None,
        max_length: int = 512,
        normalize: bool = False,
        **options: Any,
    ):
        constructors = [kind.__init__ for kind in type(self).__mro__[:-1]]
        chosen = {name: value for name, value in options.items() if name in self.family.options.model_fields}
        unknown = {name: value for name, value in options.items() if name not in chosen}
        refuse_unknown(unknown, type(self).__name__, *constructors, also=self.family.options.model_fields)
        device = _choose_device(devices)
        half = "bfloat16" if use_bf16 else "float16" if use_fp16 and device != "cpu" else "float32"
        spec = self._spec(str(model_name_or_path)).with_options(**chosen)
        files = files_of(spec, cache_dir)
        spec = replace(spec, revision=files.revision)
        self.reranker: Reranker = self.family.load(spec, files, LoadOptions(device, half))
        self.max_length, self.query_max_length, self.normalize = max_length, query_max_length, normalize
        self._instructions = (
            (query_instruction_for_rerank, query_instruction_format),
            (passage_instruction_for_rerank, passage_instruction_format),
        )

    def _spec(self, name: str) -> ModelSpec:
        """Return the source and revision of a registered name; a hub id or a folder as it is."""
        if name not in list_models() or Path(name).exists():
            return ModelSpec(name=name, family=self.family.name, source=name)
        known = load_spec(name)
        if known.family != self.family.name:
            raise InputError(f"{type(self).__name__}: '{name}' is of the family {known.family}, not {self.family.name}")
        return ModelSpec(name=name, family=known.family, source=known.source, revision=known.revision)

    def groups(self, sentence_pairs: Pairs) -> tuple[list[Group], list[int]]:
        """Gather pairs with their instructions by query; return groups, and every pair's index among them."""
        groups, indices = gather(sentence_pairs)
        (about_query, in_query), (about_passage, in_passage) = self._instructions
        return [
            Group(
                _instruct(group.query, about_query, in_query),
                [_instruct(passage, about_passage, in_passage) for passage in group.passages],
            )
            for group in groups
        ], indices

    def text_options(self, prompt: str | None, max_length: int | None, query_max_length: int | None) -> TextOptions:
        """Return the options of a call, else of the construction."""
        return TextOptions(prompt, max_length or self.max_length, query_max_length or self.query_max_length)

    def finish(self, rows: Any, indices: list[int], normalize: bool | None) -> list[Scores]:
        """Return rows of scores (reads, pairs) in the given order of the pairs, as Python floats."""
        squash = self.normalize if normalize is None else normalize
        lists = [row[indices].tolist() for row in rows]
        return [[sigmoid(score) for score in scores] for scores in lists] if squash else lists


class FlagDecoder(FlagBase):
    """The decoder classes differ in the keywords of `compute_score` and in which head reads which layer."""

    reranker: DecoderAdapter  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self,
        model_name_or_path: str,
        *,
        peft_path: str | None = None,
        query_instruction_for_rerank: str | None = "A: ",
        passage_instruction_for_rerank: str | None = "B: ",
        prompt: str | None = None,
        **options: Any,
    ):
        if peft_path:
            raise InputError("peft_path: adapters are not implemented; merge them into the checkpoint first")
        super().__init__(
            model_name_or_path,
            query_instruction_for_rerank=query_instruction_for_rerank,
            passage_instruction_for_rerank=passage_instruction_for_rerank,
            **options,
        )
        self.prompt = prompt

    def run(self, sentence_pairs: Pairs, pass_: Pass, text: TextOptions, normalize: bool | None) -> Any:
        """Return a list of scores for one read, a list of lists for several."""
        groups, indices = self.groups(sentence_pairs)
        tokens = self.reranker.prepare_distinct(groups, text, _WRITTEN_OUT)
        scored = self.reranker.run(groups, [pass_], Prepared(tokens, 0.0))
        lists = self.finish(scored.scores, indices, normalize)
        return lists[0] if len(lists) == 1 else lists

    def select_cutoffs(self, cutoff_layers: Sequence[int] | int | None) -> list[int]:
        """Select the cutoffs that have a head, in the given order; the others are dropped with a warning."""
        valid = self.reranker.config.head_layers
        if cutoff_layers is None:
            cutoff_layers = [self.reranker.config.layers]
        cutoffs = [cutoff_layers] if isinstance(cutoff_layers, int) else list(cutoff_layers)
        scored_layers = [layer for layer in cutoffs if layer in valid]
        span = self.reranker.plan.shape.valid_cutoffs
        if not scored_layers:
            raise InputError(f"cutoff_layers {cutoffs}: none has an output head; valid: {span}")
        if len(scored_layers) < len(cutoffs):
            dropped = [layer for layer in cutoffs if layer not in valid]
            log.warning("cutoff_layers %s have no output head and are dropped; valid: %s", dropped, span)
        return scored_layers


def refuse_unknown(given: dict[str, Any], where: str, *functions: Callable[..., Any], also: Iterable[str] = ()) -> None:
    """Raise InputError for a keyword that no function names, that is not in `also`, and that is not without effect."""
    for name in given:
        if name not in _WITHOUT_EFFECT:
            known = {*also, *(known for function in functions for known in inspect.signature(function).parameters)}
            raise InputError(
                f"{where}: unknown keyword '{name}'{suggest(name, known - {'self', 'ignored', 'options'})}"
            )


def _choose_device(devices: str | int | Sequence[str] | Sequence[int] | None) -> str:
    """Return one device string, `cpu` or with a CUDA index."""
    if isinstance(devices, (list, tuple)):
        if len(devices) > 1:
            log.warning("devices %s: only the first is used", list(devices))
        devices = devices[0] if devices else None
    if devices is None:
        return "cuda" if torch.cuda.is_available() else "cpu"
    return devices if isinstance(devices, str) and not devices.isdigit() else f"cuda:{devices}"


def _instruct(text: str, instruction: str | None, template: str) -> str:
    if instruction is None:
        return text
    return template.replace("\\n", "\n").format(instruction, text)
