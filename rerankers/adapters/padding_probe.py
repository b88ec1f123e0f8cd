"""Which pairs may share a forward pass so that none changes another's score: found out by asking the model.

Padding changes scores where a model finds its last token by a padding id that is not the tokenizer's, reads the last
position whatever is there (XLNet), or mixes tokens whatever the mask is (FNet, Nystromformer). No list of names
can be complete, so a few pairs are scored alone and together when a model is loaded, and one pair of every new range
of lengths while it scores.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from itertools import groupby
from typing import Literal

import torch
from torch import Tensor

from ..errors import InputError, one_line

log = logging.getLogger("rerankbench")

Mode = Literal["padded", "equal", "single"]
Side = Literal["left", "right"]
Sequences = Sequence[tuple[list[int], list[int]]]  # ids and token types of each pair
Forward = Callable[[Sequences, Side], Tensor]  # float32 scores (n,); pads to the longest on that side

RANGE = 64  # pairs are padded to one length within a range of this many tokens only
TOLERANCE = {torch.float32: 5e-5, torch.float16: 4e-3, torch.bfloat16: 3e-2}  # of 1 + |score|


class BatchingProbe:
    """How a model's pairs are batched.

    Attributes:
        mode: `padded` where padding changes no score, `equal` where only pairs of one length share a pass, `single`
            where not even these do.
        side: where padding goes.
    """

    def __init__(self, forward: Forward, dtype: torch.dtype, name_pair: Callable[[list[int]], str]) -> None:
        """Score nothing yet; `name_pair` names a pair of token ids in a message."""
        self.name_pair = name_pair
        self.forward, self.tolerance = forward, TOLERANCE.get(dtype, 5e-5)
        self.mode: Mode = "single"
        self.side: Side = "right"
        self._checked: set[int] = set()

    def choose_mode(self, pairs: Sequences, name: str, allow: Callable[[], None]) -> None:
        """Find the mode by scoring some pairs, of which the first two have one length and the others have not.

        `allow` changes what makes the model refuse batches; it is called once the pairs have been scored alone. Raises
        InputError when a pair has no score alone, or another one each time or thereafter.
        """
        try:
            alone = torch.cat([self.forward([pair], "right") for pair in pairs])
            allow()
            again = self.forward(pairs[:1], "right")
        except Exception as err:
            raise InputError(f"model '{name}': transformers cannot score a pair: {one_line(err)}") from err
        if not self._is_close(alone[:1], again):
            raise InputError(f"model '{name}': scores the same pair differently each time; it cannot be benchmarked")
        if not self._agrees(pairs[:2], alone[:2], "right"):
            self.mode = "single"
        else:
            self.mode = "equal"
            for side in ("right", "left"):
                if self._agrees(pairs, alone, side):
                    self.mode, self.side = "padded", side
                    break
        if self.mode != "padded":
            log.info("model '%s': padding would change its scores; batches are %s", name, self.mode)

    def scores(self, pairs: Sequences) -> tuple[Tensor, int]:
        """Return float32 scores (n,) of pairs, and how many padding tokens were computed with them."""
        lengths = [len(ids) for ids, _ in pairs]
        order = sorted(range(len(pairs)), key=lambda i: -lengths[i])
        values = torch.empty(len(pairs))
        padded = 0
        for _, part in groupby(order, key=lambda i: (lengths[i] - 1) // RANGE):
            members = list(part)
            scores, more = self._score_range([pairs[i] for i in members])
            values[torch.tensor(members)] = scores.cpu()
            padded += more
        return values, padded

    def _score_range(self, pairs: Sequences) -> tuple[Tensor, int]:
        """Return scores of pairs that are in the order of their lengths, the longest first."""
        longest, shortest = len(pairs[0][0]), len(pairs[-1][0])
        if (
            self.mode == "padded"
            and longest > shortest
            and (scores := self._score_together(pairs, self.side)) is not None
        ):
            key = (longest - 1) // RANGE
            if key not in self._checked and not self._is_close(scores[-1:], self._score_alone(pairs[-1])):
                log.warning("padding changes scores at %d tokens; continuing with pairs of equal length", longest)
                self.mode = "equal"
            else:
                self._checked.add(key)
                return scores, longest * len(pairs) - sum(len(ids) for ids, _ in pairs)
        if self.mode == "single":
            return torch.cat([self._score_alone(pair) for pair in pairs]), 0
        parts = []
        for _, part in groupby(pairs, key=lambda pair: len(pair[0])):
            equal = list(part)
            scores = self._score_together(equal, self.side) if len(equal) > 1 else None
            parts += [self._score_alone(pair) for pair in equal] if scores is None else [scores]
        return torch.cat(parts), 0

    def _score_together(self, pairs: Sequences, side: Side) -> Tensor | None:
        """Score pairs in one pass; None where the library refuses the batch, as BART does for texts with `</s>`."""
        try:
            return self.forward(pairs, side)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as err:
            log.debug("batch of %d refused: %s", len(pairs), one_line(err))
            return None

    def _score_alone(self, pair: tuple[list[int], list[int]]) -> Tensor:
        """Return the score of one pair, (1,). Raises InputError that names it when the library has none."""
        try:
            return self.forward([pair], self.side)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as err:
            raise InputError(f"no score for the pair {self.name_pair(pair[0])}: {one_line(err)}") from err

    def _agrees(self, pairs: Sequences, alone: Tensor, side: Side) -> bool:
        """Return whether pairs in one pass have the scores that they have alone."""
        scores = self._score_together(pairs, side)  # none without a padding id, or with unequal counts of end tokens
        return scores is not None and self._is_close(scores, alone)

    def _is_close(self, batched: Tensor, alone: Tensor) -> bool:
        return bool(((batched - alone).abs() <= self.tolerance * (1 + alone.abs())).all())


def probe_ids(words: Sequence[int], lengths: Sequence[tuple[int, int]], seed: int = 0) -> list[tuple[list[int], ...]]:
    """Return token ids of made-up queries and passages of the given lengths, drawn from `words`."""
    draw = random.Random(seed)
    return [tuple(draw.choices(words, k=length) for length in pair) for pair in lengths]
