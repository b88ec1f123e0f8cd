"""Encoder-decoders that answer with one token: monoT5 and its kind, run by transformers.

The prompt is that of castorini/pygaggle at 0f31480 (pygaggle/model/tokenize.py, T5BatchTokenizer); it is tokenised, cut
as a whole and scored as mteb at 1bca4e0 does (rerankers_monot5_based.py): one step of the decoder, and the logarithm of
the softmax over the logits of two tokens, whose exponential mteb takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import Field, field_validator

from ..adapters.plans import PairPlan
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family, FamilyOptions
from ..flops import LayerCost, Shape
from ..options import LoadOptions
from ..prompting.template import PromptTemplate
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.first_step import FirstStepReranker
    from ..tokenization.tokenizer import Tokenizer

MODEL_TYPES = ("t5", "mt5", "umt5")
QUERY, PASSAGE = "{query}", "{passage}"


@dataclass(frozen=True)
class EncoderDecoderConfig:
    """The sizes of a model of T5's kind.

    Attributes:
        hidden, inner: widths of the states, and of all heads together.
        mlp: weights of the MLP of one layer.
        layers, above: of the encoder and of the decoder.
        vocab: tokens.
    """

    hidden: int
    inner: int
    mlp: int
    layers: int
    above: int
    vocab: int


class EncoderDecoderOptions(FamilyOptions):
    """The prompt, and which tokens answer."""

    prompt_template: str = Field(
        default="Query: {query} Document: {passage} Relevant:", description="what the encoder reads"
    )
    answers: list[str | int] = Field(
        default=["true", "false"],
        min_length=2,
        max_length=2,
        description="the tokens for a match and for none: texts of one token, or ids",
    )

    @field_validator("prompt_template")
    @classmethod
    def _complete(cls, text: str) -> str:
        if text.count(QUERY) != 1 or text.count(PASSAGE) != 1 or text.index(QUERY) > text.index(PASSAGE):
            raise ValueError(f"must contain {QUERY} and then {PASSAGE}, once each")
        return text


class EncoderDecoder(Family):
    """A model of T5's kind whose decoder answers a prompt about the pair; only the full depth has a head."""

    name = "encoder-decoder"
    adapter = "encoder-decoder/1"
    score = "log-probability of the first decoded token, of two"
    options = EncoderDecoderOptions
    truncation = "snippet"

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; which tokens answer has to be written, so none is claimed."""
        return False

    def config(self, raw: Mapping[str, Any], where: str = "config.json") -> EncoderDecoderConfig:
        """See `Family.config`: the sizes that FLOPs follow from; transformers obeys all keys."""
        if raw.get("model_type") not in MODEL_TYPES:
            raise InputError(f"{where}: the family {self.name} runs model_type {', '.join(MODEL_TYPES)}")
        gated = str(raw.get("feed_forward_proj", "relu")).startswith("gated-")
        try:
            return EncoderDecoderConfig(
                hidden=raw["d_model"],
                inner=raw["num_heads"] * raw["d_kv"],
                mlp=(3 if gated else 2) * raw["d_model"] * raw["d_ff"],
                layers=raw["num_layers"],
                above=raw.get("num_decoder_layers") or raw["num_layers"],
                vocab=raw["vocab_size"],
            )
        except KeyError as err:
            raise InputError(f"{where}: key {err} is missing") from err

    def shape(
        self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None
    ) -> Shape | None:
        """See `Family.shape`: the encoder over all tokens, the decoder over one, which looks at all of them.

        A decoder layer makes keys and values of the encoder's states; the vocabulary head runs once.
        """
        if "auto_map" in raw or "quantization_config" in raw:
            return None
        config = self.config(raw, where)
        d, inner, layers, above = config.hidden, config.inner, config.layers, config.above
        encoder = LayerCost.of(hidden=d, queries=inner, keys=inner, mlp=config.mlp)
        token = layers * encoder.per_token + above * (2 * 2 * d * inner + 4 * inner)  # keys, values; looked at once
        step = above * (encoder.per_token + 4 * inner + 2 * 2 * d * inner)  # itself, then query and output of looking
        alike = layers if above == layers else 1  # where they are not, all layers are taken as one
        return Shape(
            layers=alike,
            layer=LayerCost(keys=0, rest=token // alike, attention=layers * encoder.attention // alike),
            cutoffs=range(alike, alike + 1),
            head_per_pair=step + 2 * d * config.vocab,
            head_needed=step + 2 * d * 2,
            pools=True,
        )

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`; the prompt is cut at its end, whatever stands there."""
        whole = "the prompt is cut as one text, at its end"
        template = _template(self.choose(spec).prompt_template)
        refused = {"truncation": whole, "query_max_length": whole}
        return replace(super().text_rules(spec), template=template, refused=refused)

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> FirstStepReranker:
        """See `Family.load`."""
        from ..adapters.device import Placement
        from ..adapters.first_step import FirstStep, FirstStepReranker, load_first_step
        from ..adapters.transformers_models import embedding_rows
        from ..tokenization.lengths import with_length
        from ..tokenization.tokenizer import Tokenizer

        where = f"{files.folder / 'config.json'}"
        self.config(files.config, where)
        if files.saved.kind is not None:
            raise InputError(
                f"{files.root}: saved by sentence-transformers, which the family {self.name} does not read"
            )
        placement, tokenizer, chosen = Placement.of(options, native=False), Tokenizer(files.folder), self.choose(spec)
        model = load_first_step(spec, files, placement.precision.dtype, placement.device)
        rows = [self._row(token, tokenizer, spec) for token in chosen.answers]
        spec = with_length(spec, files.saved, tokenizer, None, tokenizer.single_template().special)
        recipe = {"prompt_template": chosen.prompt_template, "answers": rows}
        plan = PairPlan(
            adapter=self.adapter,
            spec=spec,
            text=self.text_rules(spec),
            positions=None,
            ids=embedding_rows(model),
            shape=self.shape(files.config, where),
            recipe=recipe,
        )
        return FirstStepReranker(plan, files, tokenizer, placement, FirstStep(model, rows, where))

    def _row(self, token: str | int, tokenizer: Tokenizer, spec: ModelSpec) -> int:
        """Return the id of a token. Raises InputError for a text that is not one token."""
        ids = [token] if isinstance(token, int) else tokenizer.ids([token])[0]
        if len(ids) != 1 or not 0 <= ids[0] < tokenizer.backend.get_vocab_size():
            raise InputError(f"model '{spec.name}': key 'answers': {token!r:.40} is not one token of it: {ids}")
        return ids[0]


def _template(text: str) -> PromptTemplate:
    """Return the prompt of an option, one text that is cut at its end."""
    query, _, rest = text.partition(QUERY)
    return PromptTemplate(
        query=query + QUERY, between="", passage=rest, after=(), joined=True, limit="sequence", special_tokens=True
    )
