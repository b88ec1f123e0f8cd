"""A folder's chat template as a prompt template: rendered once around marks in place of the texts.

sentence-transformers sends a pair through the template as messages of the roles `query` and `document`, and a prompt as
one of the role `system` (`InputFormatter` in its base/modality.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..errors import InputError, refusing
from .template import PromptTemplate
from .time_limit import TookTooLong, run_limited

_SECONDS = 10  # for one text
_QUERY, _PASSAGE, _SYSTEM = ("\ue000query\ue001", "\ue000passage\ue001", "\ue000system\ue001")  # private-use characters
# texts that a template would have to treat specially to give anything but what the marks gave
_PROBES = (("", ""), (" what \n", "\n\n a {query} b "), ("<|im_end|>", "user\n"))
_CHARACTERS, _MOST = 16, 1 << 16  # characters of a token, and tokens of a text, as probed


def read_chat_template(folder: Path, structured: bool, positions: int) -> PromptTemplate:
    """Read the template that renders every pair as the folder's chat template does.

    Args:
        folder: of the tokenizer.
        structured: messages are lists of typed parts instead of texts.
        positions: most tokens of a sequence, so that a template that cuts long texts is found out.

    Raises InputError when there is none, or when it does more than put texts into places.
    """
    from transformers import AutoTokenizer

    with refusing(f"{folder}: its tokenizer cannot be loaded"):
        tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)

    def render(query: str, passage: str, system: str = "") -> str:
        texts = [("system", system)] if system else []
        messages = [
            {"role": role, "content": [{"type": "text", "text": text}] if structured else text}
            for role, text in [*texts, ("query", query), ("document", passage)]
        ]
        try:
            with refusing(f"{folder}: its chat template cannot be rendered"):
                return run_limited(lambda: tokenizer.apply_chat_template(messages, tokenize=False), _SECONDS)
        except TookTooLong:
            raise InputError(f"{folder}: its chat template takes more than {_SECONDS} s; is it meant to end?") from None

    plain = render(_QUERY, _PASSAGE)
    query, *others = _split(plain, folder)
    rendered = render(_QUERY, _PASSAGE, _SYSTEM)
    bare = None
    if _SYSTEM in rendered:
        bare = query
        query, *prompted = _split(rendered.replace(_SYSTEM, "{instruction}"), folder)
        if plain != rendered and others != prompted:
            raise InputError(f"{folder}: its chat template puts a prompt after the query, which is not supported")
        others = prompted
    between, passage, after = others
    template = PromptTemplate(
        query=query,
        bare_query=bare,
        between=between,
        passage=passage,
        after=(after,) if after else (),
        joined=True,
        joined_tail=True,
        passage_first=plain.index(_PASSAGE) < plain.index(_QUERY),
        limit="sequence",
        special_tokens=False,
    )
    characters = _CHARACTERS * min(positions, _MOST)
    long = ("word " * (characters // 5), "x" * characters)  # as long as the model reads, so that no cut goes unseen
    return _prove(template, render, folder, [*_PROBES, long, (long[1], long[0])])


def _split(text: str, folder: Path) -> tuple[str, str, str, str]:
    """Return a rendered text's pieces: with the query, between, with the passage, and after them.

    Where the query comes last, its piece has what is after it.
    """
    if text.count(_QUERY) != 1 or text.count(_PASSAGE) != 1:
        raise InputError(f"{folder}: its chat template does not put query and document in once each")
    if "{query}" in text or "{passage}" in text:
        raise InputError(
            f"{folder}: its chat template contains {{query}} or {{passage}} as a text, which is not supported"
        )
    if text.index(_PASSAGE) < text.index(_QUERY):
        before, rest = text.split(_PASSAGE)
        between, after = rest.split(_QUERY)
        return "{query}" + after, between, before + "{passage}", ""
    before, rest = text.split(_QUERY)
    between, after = rest.split(_PASSAGE)
    return before + "{query}", between, "{passage}", after


def _prove(
    template: PromptTemplate, render: Callable[..., str], folder: Path, probes: Sequence[tuple[str, str]]
) -> PromptTemplate:
    """Return the template, once it gives the same texts; stripped where the folder's strips."""
    instructions = ("", "Find it.") if template.bare_query is not None else ("",)
    for stripped in (False, True):
        candidate = replace(template, stripped=stripped)
        if all(
            candidate.whole(query, passage, instruction) == render(query, passage, instruction)
            for query, passage in probes
            for instruction in instructions
        ):
            return candidate
    raise InputError(f"{folder}: its chat template does more than put texts into places, which is not supported")
