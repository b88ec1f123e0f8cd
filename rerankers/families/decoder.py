"""What families of decoders share: one template of FlagEmbedding, one way to cost, one adapter."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from ..checkpoint.hub import Resolved
from ..checkpoint.sentence_transformers import StFolder
from ..errors import InputError
from ..family import Family, Tensors, is_classifier, is_plain
from ..flops import LayerCost, Shape
from ..models.config import DecoderConfig
from ..options import LoadOptions, ResolvedText, TextOptions
from ..prompting.prompts import resolve_prompt
from ..prompting.template import PromptTemplate
from ..settings import Setting
from ..spec import ModelSpec

if TYPE_CHECKING:
    from ..adapters.decoder import DecoderAdapter
    from ..models.decoder import Head


class DecoderFamily(Family):
    """A causal transformer whose score is read after the last token of a prompt.

    Attributes:
        layer_heads: the model has a scalar head after each cutoff layer instead of a vocabulary head.
        compresses: passage tokens can be compressed.
    """

    template: ClassVar[PromptTemplate] = PromptTemplate()  # pyright: ignore[reportIncompatibleVariableOverride]
    layer_heads: ClassVar[bool] = True
    compresses: ClassVar[bool] = False

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

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> Shape:
        """See `Family.shape`; the published head runs at every position."""
        config = self.config(raw, where)
        rows = 1 if self.layer_heads else config.vocab
        return Shape(
            layers=config.layers,
            layer=LayerCost.of(
                hidden=config.hidden,
                queries=config.heads * config.head_dim,
                keys=config.kv_heads * config.head_dim,
                mlp=3 * config.hidden * config.intermediate,  # gate, up, down
            ),
            cutoffs=config.head_layers,
            head_per_position=2 * config.hidden * rows,
            head_needed=2 * config.hidden * self.rows_needed,
            causal=True,
            compresses=self.compresses,
        )

    def shape_of(
        self, spec: ModelSpec, raw: Mapping[str, Any], where: str = "config.json", options: LoadOptions | None = None
    ) -> Shape:
        """See `Family.shape_of`; with the logit lens every layer is a cutoff."""
        shape = self.shape(raw, where)
        every = options is not None and options.cutoffs == "logit_lens"
        return replace(shape, cutoffs=range(1, shape.layers + 1)) if every else shape

    rows_needed: ClassVar[int] = 1  # rows of the output head that a score is made of

    def tensors(self, raw: Mapping[str, Any], where: str = "config.json") -> Tensors:
        """See `Family.tensors`."""
        from ..models.decoder import decoder_shapes

        config = self.config(raw, where)
        return Tensors(decoder_shapes(config), unit_norm=1.0 - config.norm_plus_one)

    def template_of(self, spec: ModelSpec) -> PromptTemplate:
        """See `Family.template_of`."""
        return self.template

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; the instruction is the experiment's prompt, else the model's wording for the task."""
        filled, template = super().resolve(spec, text), self.template_of(spec)
        wording = {**self.wording, **spec.wording}
        prompt = text.prompt if text.prompt is not None else wording.get(text.task)
        if not template.instructed:
            if prompt is not None:
                raise InputError(
                    f"model '{spec.name}': its template has no place for a prompt; leave out {prompt!r:.60}"
                )
            return filled
        if prompt is None and template.bare_query is not None:
            return filled
        if prompt is None:
            raise InputError(
                f"model '{spec.name}': has no wording for the task '{text.task}', only for {', '.join(wording)}; "
                "add it to `wording` in the model's YAML file, or give the experiment a `prompt`"
            )
        return ResolvedText(resolve_prompt(prompt), filled.max_length, filled.query_max_length, filled.truncation)

    def head(self, adapter: DecoderAdapter, layer: int) -> Head:
        """The formula over rows of the output head that scores a cutoff layer asked for alone."""
        raise NotImplementedError

    def begin(self, adapter: DecoderAdapter, text: ResolvedText) -> list[int]:
        """Ids that begin every sequence."""
        return [adapter.tokenizer.special_id("bos_token")]

    def applies_softcap(self, options: LoadOptions) -> bool:
        """Whether the configured attention soft-capping is applied."""
        return True

    def policies(self, options: LoadOptions) -> dict[str, str]:
        """See `Family.policies`: the logit lens where it is asked for; a head per layer leaves it no place."""
        return {"cutoffs": options.cutoffs} if options.cutoffs != "trained" and not self.layer_heads else {}

    def warnings(self, setting: Setting, layers: int) -> list[str]:
        """What of a setting has no effect, or no training."""
        depth, found = setting.cutoff_layer or layers, []
        if depth < layers and not self.layer_heads:
            found.append(f"setting {setting.name}: untrained: the head of layer {layers} on layer {depth} (logit lens)")
        if 0 in setting.compress_layers:
            found.append(f"setting {setting.name}: compress layer 0 has no effect (the released code skips it)")
        beyond = [layer for layer in setting.compress_layers if layer >= depth]
        if beyond:
            found.append(f"setting {setting.name}: compress layers {beyond} are never reached (cutoff {depth})")
        return found

    def load(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> DecoderAdapter:
        """See `Family.load`."""
        from ..adapters.decoder import DecoderAdapter

        return DecoderAdapter(self, spec, files, options)
