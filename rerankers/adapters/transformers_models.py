"""Models that transformers runs: loading them, and reading one number per pair from what they give."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ..architectures.keys import refuse_code
from ..checkpoint.hub import Resolved
from ..checkpoint.logit_score import scoring_tokens
from ..checkpoint.quiet import without_bars
from ..errors import InputError, refusing
from ..models.heads import SCORE, read_head
from ..models.ops import Ops
from ..spec import ModelSpec

# sentence-transformers loads the encoder alone of these (its base/modules/transformer.py), by model type
_ENCODERS = {
    "t5": "t5.modeling_t5:T5EncoderModel",
    "mt5": "mt5.modeling_mt5:MT5EncoderModel",
    "umt5": "umt5.modeling_umt5:UMT5EncoderModel",
    "longt5": "longt5.modeling_longt5:LongT5EncoderModel",
    "switch_transformers": "switch_transformers.modeling_switch_transformers:SwitchTransformersEncoderModel",
    "prophetnet": "prophetnet.modeling_prophetnet:ProphetNetEncoder",
    "blenderbot": "blenderbot.modeling_blenderbot:BlenderbotEncoder",
    "blenderbot-small": "blenderbot_small.modeling_blenderbot_small:BlenderbotSmallEncoder",
    "m2m_100": "m2m_100.modeling_m2m_100:M2M100Encoder",
    "pegasus": "pegasus.modeling_pegasus:PegasusEncoder",
    "pegasus_x": "pegasus_x.modeling_pegasus_x:PegasusXEncoder",
    "marian": "marian.modeling_marian:MarianEncoder",
}
# tables that older releases stored although they are computed
_COMPUTED = ("position_ids", "token_type_ids", "inv_freq", "masked_bias", "attn.bias")

ReadScores = Callable[[Any, Tensor], Tensor]  # (output, mask (n, length)) to float32 (n,)


def load_model(spec: ModelSpec, files: Resolved, dtype: torch.dtype, device: torch.device) -> tuple[Any, ReadScores]:
    """Load the model on its device; return it and how its output is read.

    A classifier gives its logit; the modules of a sentence-transformers cross-encoder, its score. Raises InputError
    when transformers cannot load it, weights are missing, or there is more than one output.
    """
    modules = files.saved.modules
    causal = bool(modules) and modules[-1].kind == "LogitScore"
    if causal != (files.saved.task == "text-generation"):
        raise InputError(f"{files.root}: transformer_task '{files.saved.task}' does not fit its modules")
    kind = "CausalLM" if causal else "SequenceClassification"
    if modules and not causal:
        kind = "Body"
    model = load_class(spec, files, dtype, kind).to(device).eval()
    if kind == "CausalLM":
        return model, _read_logit_score(files, model)
    if kind == "Body":
        return model, _read_modules(files, model, device)
    if model.config.num_labels != 1:
        raise InputError(f"{files.folder}: {model.config.num_labels} outputs; a reranker has one")
    return model, lambda output, mask: output.logits.reshape(len(mask)).float()


def text_config(model: Any) -> Any:
    """Return the configuration of a model, or of its text part; transformers 4.44 has no such method."""
    return model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config


def positions(model: Any) -> int | None:
    """Return the most tokens of a sequence, from the configuration; tables that begin after a padding id hold fewer."""
    stated = getattr(text_config(model), "max_position_embeddings", None)
    if not isinstance(stated, int) or isinstance(stated, bool) or stated < 1:
        return None
    for name, module in model.named_modules():
        table = isinstance(module, torch.nn.Embedding) and name.endswith("position_embeddings")
        if table and module.num_embeddings == stated and module.padding_idx is not None:
            return stated - module.padding_idx - 1
    return stated


def embedding_rows(model: Any) -> int | None:
    """Return rows of the table of word embeddings; None where there is no such table (Canine hashes characters)."""
    try:
        table = model.get_input_embeddings()
    except NotImplementedError:
        return None
    return table.num_embeddings if isinstance(table, torch.nn.Embedding) else None


def load_class(spec: ModelSpec, files: Resolved, dtype: torch.dtype, kind: str) -> Any:
    """Load `AutoModelFor<kind>`, or the body alone (`Body`), every weight of which is in the files.

    Raises InputError when transformers cannot load it, or weights are missing.
    """
    import transformers
    from transformers import CONFIG_MAPPING

    name = files.config.get("model_type")
    if not (isinstance(name, str) and name in CONFIG_MAPPING) and not spec.trust_remote_code:
        raise InputError(
            f"model '{spec.name}': transformers {transformers.__version__} has no model_type '{name}'; if you "
            "trust the code in its repository, set `trust_remote_code: true` in the model's YAML file"
        )
    if not spec.trust_remote_code:
        refuse_code(files.config, str(files.folder / "config.json"))
    auto: Any = getattr(transformers, f"AutoModelFor{kind}", transformers.AutoModel)
    if kind == "Body" and name in _ENCODERS:
        module, _, cls = _ENCODERS[name].partition(":")
        auto = getattr(importlib.import_module(f"transformers.models.{module}"), cls)
    wording = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    with refusing(f"model '{spec.name}': transformers cannot load it"), without_bars():
        model, report = auto.from_pretrained(
            files.folder, trust_remote_code=spec.trust_remote_code, output_loading_info=True, **{wording: dtype}
        )
    # transformers fills what is missing with random numbers; a pooler's do not reach a score that others pool
    missing = sorted(key for key in report["missing_keys"] if kind != "Body" or not key.startswith("pooler."))
    if missing:
        hint = "" if kind == "Body" else "; is it a sequence classifier?"
        raise InputError(f"{files.folder}: the checkpoint lacks {', '.join(missing[:4])}{hint}")
    if extra := [key for key in sorted(report["unexpected_keys"]) if _is_inside(model, key)]:
        raise InputError(
            f"{files.folder}: has {', '.join(extra[:3])}, which transformers {transformers.__version__} "
            "would leave out; are its weights quantised, or made for another release?"
        )
    return model


def _is_inside(model: Any, key: str) -> bool:
    """Return whether an extra tensor belongs to a part that the model has, and is no table or other head."""
    prefix = f"{model.base_model_prefix}."
    part = key.removeprefix(prefix).partition(".")[0]
    parts = {name for name, _ in [*model.named_children(), *model.base_model.named_children()]}
    return part in parts and not key.endswith(_COMPUTED)


def _read_modules(files: Resolved, model: Any, device: torch.device) -> ReadScores:
    """Return pooling and dense layers of sentence-transformers on the last states."""
    hidden = getattr(text_config(model), "hidden_size", None)
    if not isinstance(hidden, int):
        raise InputError(f"{files.folder / 'config.json'}: states no hidden_size, so its modules cannot be fitted")
    head = read_head(files.saved.modules, hidden, device, SCORE)
    if head.width != 1:
        raise InputError(f"{files.root}: {head.width} scores per pair; a reranker has one")

    def read(output: Any, mask: Tensor) -> Tensor:
        states = output.last_hidden_state
        pooled = [head.pool(row[keep.bool()].unsqueeze(0)) for row, keep in zip(states, mask)]
        return head.apply(torch.cat(pooled), Ops(), SCORE)[:, 0]

    return read


def _read_logit_score(files: Resolved, model: Any) -> ReadScores:
    """Return the logit of a token after the last position, or the difference of two."""
    ids = scoring_tokens(files.saved.modules, model.get_output_embeddings().weight.shape[0], files.root)

    def read(output: Any, mask: Tensor) -> Tensor:
        if not mask[:, -1].all():
            raise ValueError("padding comes after the last token")
        last = output.logits[:, -1].float()
        return last[:, ids[0]] - (last[:, ids[1]] if len(ids) > 1 else 0)

    return read
