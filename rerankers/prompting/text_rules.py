"""How a model's texts are worded and cut, as one value: what it does by default, and what of that can be chosen."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

from ..errors import InputError
from ..options import ResolvedText, TextOptions, Truncation
from .prompts import resolve_prompt
from .template import PromptTemplate

_NO_PROMPT = "has no prompt"


@dataclass(frozen=True)
class TextRules:
    """The defaults of a model's texts, and the reasons why some options have no place.

    Attributes:
        model: its name, for messages.
        max_length: most tokens of a pair (of each text, where texts are read alone).
        query_share: of the length limit, for the query where `query_max_length` is not given.
        query_max_length: most tokens of a query, in place of `query_share`.
        truncation: how a pair that is too long is cut.
        template: what surrounds a pair; None where the tokenizer joins the two texts.
        wording: instruction by task, names of configs/prompts.yaml or texts.
        refused: text option -> why it would have no effect; such an option is refused.
    """

    model: str
    max_length: int
    query_share: Fraction = Fraction(3, 4)
    query_max_length: int | None = None
    truncation: Truncation = "class"
    template: PromptTemplate | None = None
    wording: Mapping[str, str] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)

    def resolve(self, text: TextOptions) -> ResolvedText:
        """Return `text` with the model's defaults and wording where nothing was chosen.

        Raises InputError for an option without effect, and when the model has no wording for the task.
        """
        for option, reason in {**({} if self.template else {"prompt": _NO_PROMPT}), **self.refused}.items():
            if (value := getattr(text, option)) is not None:
                raise InputError(f"model '{self.model}': {reason}; leave out {option} {value!r:.60}")
        length = text.max_length or self.max_length
        query = text.query_max_length or self.query_max_length or int(length * self.query_share)
        return ResolvedText(self._choose_instruction(text), length, query, text.truncation or self.truncation)

    def count_own_tokens(self, text: TextOptions) -> int:
        """Count tokens that the template puts around a pair, as `PromptTemplate.own_tokens` estimates them."""
        return self.template.own_tokens(self.resolve(text).instruction) if self.template else 0

    def _choose_instruction(self, text: TextOptions) -> str:
        """Return the experiment's prompt, else the model's wording for the task; empty where neither is needed."""
        if self.template is None:
            return ""
        prompt = text.prompt if text.prompt is not None else self.wording.get(text.task)
        if not self.template.instructed:
            if prompt is not None:
                raise InputError(
                    f"model '{self.model}': its template has no place for a prompt; leave out {prompt!r:.60}"
                )
            return ""
        if prompt is not None:
            return resolve_prompt(prompt)
        if self.template.bare_query is not None:
            return ""
        raise InputError(
            f"model '{self.model}': has no wording for the task '{text.task}', only for {', '.join(self.wording)}; "
            "add it to `wording` in the model's YAML file, or give the experiment a `prompt`"
        )
