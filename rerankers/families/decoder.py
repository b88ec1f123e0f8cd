"""What families of decoders share: how they are costed, and the plan of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from ..adapters.plans import DecoderPlan
from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family, FamilyOptions, Tensors, is_classifier, is_plain
from ..flops import LayerCost, Shape
from ..models.config import DecoderConfig
from ..models.output_rows import OutputRows
from ..options import LoadOptions, Task, Truncation
from ..prompting.template import PromptTemplate
from ..prompting.text_rules import TextRules
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
    from ..tokenization.tokenizer import Tokenizer


class DecoderOptions(FamilyOptions):
    """What can be chosen for a decoder."""

    wording: dict[Task, str] = Field(
        default={}, description="the prompt for each task, a name in configs/prompts.yaml or a text"
    )


class FlagOptions(DecoderOptions):
    """What can be chosen for a decoder with FlagEmbedding's template."""

    truncation: Truncation | None = Field(
        default=None, description="class or snippet: as the publisher cuts a long pair; default: class"
    )


class LogitLens(FamilyOptions):
    """Cutoffs of a decoder with one output head."""

    cutoffs: Literal["trained", "logit_lens"] = Field(
        default="trained",
        description="trained: full depth only; logit_lens: every layer, scored by the last layer's norm and head, "
        "which nobody trained for it (the logit lens of nostalgebraist, 2020)",
    )


class DecoderFamily(Family):
    """A causal transformer whose score is read after the last token of a prompt.

    Attributes:
        template: what surrounds a pair.
        wording: instruction by task, names of configs/prompts.yaml or texts; a specification's come first.
        layer_heads: the model has a scalar head after each cutoff layer instead of a vocabulary head.
        compresses: passage tokens can be compressed.
        rows_needed: rows of the output head that a score is made of.
    """

    options: ClassVar[type[FamilyOptions]] = DecoderOptions
    prompted = True
    template: ClassVar[PromptTemplate] = PromptTemplate()
    wording: ClassVar[Mapping[str, str]] = {}
    layer_heads: ClassVar[bool] = True
    compresses: ClassVar[bool] = False
    rows_needed: ClassVar[int] = 1

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`."""
        return raw.get("model_type") in self.architectures and not is_classifier(raw) and is_plain(saved)

    def config(self, raw: Mapping[str, Any], where: str = "config.json") -> DecoderConfig:
        """See `Family.config`."""
        config = super().config(raw, where)
        if self.layer_heads != (config.start_layer is not None):
            heads = "one output head per layer" if self.layer_heads else "a vocabulary head"
            raise InputError(f"{where}: the family {self.name} needs {heads}")
        return config

    def shape(self, raw: Mapping[str, Any], where: str = "config.json", options: FamilyOptions | None = None) -> Shape:
        """See `Family.shape`; the published head runs at every position. The logit lens makes every layer a cutoff."""
        config = self.config(raw, where)
        rows = 1 if self.layer_heads else config.vocab
        every = getattr(options, "cutoffs", "trained") == "logit_lens"
        return Shape(
            layers=config.layers,
            layer=LayerCost.of(
                hidden=config.hidden,
                queries=config.heads * config.head_dim,
                keys=config.kv_heads * config.head_dim,
                mlp=3 * config.hidden * config.intermediate,  # gate, up, down
            ),
            cutoffs=range(1, config.layers + 1) if every else config.head_layers,
            head_per_position=2 * config.hidden * rows,
            head_needed=2 * config.hidden * self.rows_needed,
            causal=True,
            compresses=self.compresses,
        )

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """See `Family.tensors`."""
        from ..models.decoder import decoder_shapes

        config = self.config(raw, where)
        return Tensors(decoder_shapes(config), unit_norm=1.0 - config.norm_plus_one)

    def template_of(self, spec: ModelSpec) -> PromptTemplate:
        """Return the template of a model; the family's where models have none of their own."""
        return self.template

    def text_rules(self, spec: ModelSpec) -> TextRules:
        """See `Family.text_rules`."""
        wording = {**self.wording, **self.choose(spec).wording}
        return replace(super().text_rules(spec), template=self.template_of(spec), wording=wording)

    def plan(self, spec: ModelSpec, files: Resolved, tokenizer: Tokenizer) -> DecoderPlan:
        """Return the plan of a model.

        Raises InputError for a configuration, a tokenizer or an option that does not fit.
        """
        where, options = str(files.folder / "config.json"), self.choose(spec)
        config, shape = self.config(files.config, where), self.shape(files.config, where, options)
        trained = config.head_layers
        return DecoderPlan(
            adapter=self.adapter,
            spec=spec,
            config=config,
            shape=shape,
            text=self.text_rules(spec),
            begin=self.begin(spec, tokenizer),
            rows={layer: self.rows(layer, spec, config, tokenizer) for layer in shape.cutoffs},
            untrained=range(0) if self.layer_heads else range(1, trained.start),
            recipe=self.recipe(spec),
        )

    def begin(self, spec: ModelSpec, tokenizer: Tokenizer) -> dict[Truncation, tuple[int, ...]]:
        """Return ids that begin every sequence, by the way that pairs are cut."""
        bos = (tokenizer.special_id("bos_token"),)
        return {"class": bos, "snippet": bos}

    def rows(self, layer: int, spec: ModelSpec, config: DecoderConfig, tokenizer: Tokenizer) -> OutputRows:
        """Return the rows of the output head, and the formula over them, that score a cutoff layer on its own."""
        raise NotImplementedError

    def recipe(self, spec: ModelSpec) -> dict[str, Any]:
        """Return what can change a score, texts and lengths aside: for the identity, JSON values only."""
        cutoffs = getattr(self.choose(spec), "cutoffs", "trained")
        return {} if cutoffs == "trained" else {"cutoffs": cutoffs}

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> DecoderAdapter:
        """See `Family.load`."""
        from ..adapters.decoder import DecoderAdapter
        from ..adapters.device import Placement
        from ..tokenization.tokenizer import Tokenizer

        tokenizer = Tokenizer(files.folder)

        def plan(spec: ModelSpec) -> DecoderPlan:
            return self.plan(self.complete(spec, files), files, tokenizer)

        return DecoderAdapter(plan(spec), files, tokenizer, Placement.of(options), plan)
