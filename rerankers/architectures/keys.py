"""Which keys of a `config.json` a reader obeys, and which cannot change a score; every other one is refused by name.

A model's own code may read any key of its configuration: one that a native reader leaves out may change a score. A key
that is in neither list passes only with the value that the class of the installed transformers gives it anyway.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import InputError, suggest

# what every reader or the code around it looks at: the loader, the head, sentence-transformers' folders
_COMMON = (
    "model_type architectures num_labels id2label auto_map sentence_transformers sbert_ce_default_activation_function "
    "tokenizer_class"
)
COMMON = frozenset(_COMMON.split())
# Training, provenance, outputs beside the score, the storage of weights, how attention is computed
_IDLE = (
    "_name_or_path _commit_hash name_or_path transformers_version torch_dtype dtype use_bfloat16 torchscript label2id "
    "problem_type initializer_range initializer_cutoff_factor use_cache gradient_checkpointing finetuning_task "
    "task_specific_params output_attentions output_hidden_states output_past return_dict attention_dropout "
    "attention_probs_dropout_prob hidden_dropout_prob hidden_dropout classifier_dropout embedding_dropout mlp_dropout "
    "resid_pdrop embd_pdrop bos_token_id eos_token_id cls_token_id sep_token_id mask_token_id unk_token_id "
    "pad_token_id "
    "decoder_start_token_id attn_implementation _attn_implementation _attn_implementation_autoset "
    "_flash_attn_2_enabled use_flash_attn use_flash_attention chunk_size_feed_forward pretraining_tp prefix "
    "unsloth_version unsloth_fixed tf_legacy_loss gradient_checkpointing_kwargs _experts_implementation "
    "experts_implementation model_max_length language tie_encoder_decoder"
)
# of generation, which transformers drops from a config.json or moves to generation_config.json
_GENERATION = (
    "max_length max_new_tokens min_length min_new_tokens early_stopping max_time stop_strings do_sample num_beams "
    "num_beam_groups penalty_alpha cache_implementation cache_config temperature top_k top_p min_p typical_p "
    "epsilon_cutoff eta_cutoff diversity_penalty repetition_penalty encoder_repetition_penalty length_penalty "
    "no_repeat_ngram_size encoder_no_repeat_ngram_size bad_words_ids num_return_sequences output_scores "
    "return_dict_in_generate forced_bos_token_id forced_eos_token_id remove_invalid_values "
    "exponential_decay_length_penalty suppress_tokens begin_suppress_tokens renormalize_logits"
)
IDLE = frozenset(f"{_IDLE} {_GENERATION}".split())
# of these every reader obeys one value only
_ONLY: dict[str, tuple[Any, ...]] = {
    "is_decoder": (False, None),
    "is_encoder_decoder": (False, None),
    "add_cross_attention": (False, None),
    "cross_attention_hidden_size": (None,),
    "quantization_config": (None,),
    "pruned_heads": (None, {}),
    "per_layer_config": (None, {}),
}


@dataclass(frozen=True)
class Architecture:
    """How a model type's `config.json` is read.

    Attributes:
        read: from the content and the file's name to the architecture as a value.
        keys: that `read` obeys.
        idle: that cannot change a score of this architecture, beside IDLE, which change none of any.
        only: values of keys that it obeys for these alone.
        code: classes of a repository's code (`auto_map`) that do what this reader does, as their files call them.
        library: the model type whose class of transformers gives defaults; None: the reader's own.
        elsewhere: transformers runs sequence classifiers of this type, whatever their keys.
    """

    read: Callable[[Mapping[str, Any], str], Any]
    keys: frozenset[str]
    idle: frozenset[str] = frozenset()
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    code: frozenset[str] = frozenset()
    library: str | None = None
    elsewhere: bool = False

    def __call__(self, raw: Mapping[str, Any], where: str) -> Any:
        """Return the architecture. Raises InputError for a value that is damaged, or is not obeyed (`unread`)."""
        self.check(raw, where)
        return self.read(_Stated(raw, where), where)

    @property
    def obeyed(self) -> list[str]:
        """Every key that changes what is computed, or is refused with values that are not implemented; sorted."""
        return sorted(self.keys | set(self.only))

    @property
    def without_effect(self) -> list[str]:
        """Every key that may have any value; sorted."""
        return sorted((self.idle | IDLE) - self.keys)

    def check(self, raw: Mapping[str, Any], where: str) -> None:
        """Raise InputError for the first key whose value is not obeyed."""
        known = self.keys | self.idle | COMMON | IDLE
        only, advice = {**_ONLY, **self.only}, self._suggest_model(raw)
        refuse_code(raw, where, self.code)
        for key, value in raw.items():
            if key in only:
                if value not in only[key]:
                    raise InputError(f"{where}: key '{key}': {shown(value)} is not implemented{advice}", unread=True)
            elif key not in known and not self._is_default(key, value):
                near = suggest(str(key), self.keys)
                raise InputError(
                    f"{where}: key '{key}': {shown(value)} is not read for model_type '{raw.get('model_type')}', and "
                    f"may change scores{near if near.startswith('; did') else ''}{advice}",
                    unread=True,
                )

    def _is_default(self, key: str, value: Any) -> bool:
        """Return whether the class of the installed transformers has this value for every model."""
        if self.library is None:
            return False
        from transformers import CONFIG_MAPPING  # takes seconds, and is needed for keys that are in no list only

        if self.library not in CONFIG_MAPPING:
            return False
        default = getattr(CONFIG_MAPPING[self.library](), key, ...)
        return default == value and isinstance(default, bool) is isinstance(value, bool)

    def _suggest_model(self, raw: Mapping[str, Any]) -> str:
        classifies = any("SequenceClassification" in name for name in raw.get("architectures") or ())
        other = ", or let transformers run the model (family: sequence-classification)"
        return f"; remove it if it changes no score{other if self.elsewhere and classifies else ''}"


class _Stated(dict[str, Any]):
    """The content of a `config.json`, in which null is no value of a key that must have one."""

    def __init__(self, raw: Mapping[str, Any], where: str) -> None:
        super().__init__(raw)
        self.where = where

    def __getitem__(self, key: str) -> Any:
        value = super().__getitem__(key)
        if value is None:
            raise InputError(f"{self.where}: key '{key}': null is no value of it; write one, or leave the key out")
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value as a dict does; a key with a default must have a value, too."""
        return self[key] if default is not None and key in self else super().get(key, default)


def architecture(
    keys: str,
    *,
    idle: str = "",
    only: Mapping[str, tuple[Any, ...]] | None = None,
    code: str = "",
    library: str | None = None,
    elsewhere: bool = False,
) -> Callable[[Callable[[Mapping[str, Any], str], Any]], Architecture]:
    """Make an `Architecture` of the function below it; names are separated by blanks, and idle ones are no keys."""

    def made(read: Callable[[Mapping[str, Any], str], Any]) -> Architecture:
        return Architecture(
            read,
            frozenset(keys.split()) - frozenset(idle.split()),
            frozenset(idle.split()),
            only or {},
            frozenset(code.split()),
            library,
            elsewhere,
        )

    return made


def refuse_code(raw: Mapping[str, Any], where: str, known: Iterable[str] = ()) -> None:
    """Raise InputError when `auto_map` names classes of the repository's own that are none of the `known` ones.

    A reference is `module.Class`, or `owner/name--module.Class` for code of another repository.
    """
    stated = raw.get("auto_map") or {}
    if not isinstance(stated, dict):
        raise InputError(f"{where}: key 'auto_map': expected an object, found {stated!r:.60}")
    for names in stated.values():
        for name in names if isinstance(names, list) else [names]:
            if name is not None and str(name).rpartition("--")[2] not in known:
                raise InputError(
                    f"{where}: key 'auto_map': the model is code of its repository ({name!s:.80}), which may score "
                    "otherwise than the class of this model_type; remove the key, or, if you trust the code of a "
                    "classifier, write a YAML file with family: sequence-classification and trust_remote_code: true",
                    unread=True,
                )


def unread(key: str, value: Any, where: str, only: str = "") -> InputError:
    """Return the error for a value of a known key that is not implemented; `only` lists those that are."""
    known = f", only {only}" if only else ""
    return InputError(f"{where}: key '{key}': {shown(value)} is not implemented{known}", unread=True)


def shown(value: Any) -> str:
    """Return a value as the file has it, shortened."""
    text = json.dumps(value, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."
