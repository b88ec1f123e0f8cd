"""Every attribute of every native model type's configuration class set to another value, beside transformers' model.

The attributes are those of the installed class and every name that transformers' own code of that model asks a
configuration for. A case is one value of one attribute written into the config.json of a tiny random checkpoint; what
this project gives for it is transformers' score of each pair alone within 2e-3, or one line. Prints a line per
model type and what failed.

    PYTHONPATH=tests/support python tests/support/config_cases.py [MODEL_TYPE ...]
"""

from __future__ import annotations

import copy
import functools
import inspect
import itertools
import json
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from rerankbench.rerankers import Group, InputError, LoadOptions, ModelSpec, Setting, TextOptions, load
from safetensors.torch import save_file
from wild import PAIRS, SPECIAL, WORDS, lively, word_tokenizer

CPU = LoadOptions(device="cpu", dtype="float32")
TOLERANCE = 2e-3
LONG = [("where is the train ?", "the quiet lamp of the river and the green paper . " * 3), *PAIRS[:2]]
VOCABULARY = len(SPECIAL) + len(WORDS)
TOKENS = (12, 30)  # of which the difference of the logits is a causal model's score
TEMPLATE = {
    "before": "the",
    "query": "{query}",
    "passage": " . {passage}",
    "after": "?",
    "joined": True,
    "limit": "sequence",
}
_ENCODER = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 40}
_DECODER = {**_ENCODER, "num_hidden_layers": 3, "num_key_value_heads": 2, "head_dim": 8, "tie_word_embeddings": False}
_WINDOWS = {"query_pre_attn_scalar": 6, "sliding_window": 6, "num_hidden_layers": 7}
SHAPES: dict[str, dict[str, Any]] = {
    **{kind: {**_ENCODER, "max_position_embeddings": 130} for kind in ("bert", "roberta", "xlm-roberta")},
    "modernbert": {**_ENCODER, "num_hidden_layers": 4, "local_attention": 8},
    **{kind: dict(_DECODER) for kind in ("llama", "mistral", "gemma")},
    **{kind: {**_DECODER, "sliding_window": 5, "max_window_layers": 1} for kind in ("qwen2", "qwen3")},
    **{kind: {**_DECODER, **_WINDOWS} for kind in ("gemma2", "gemma3_text")},
}
# legal values beside those that the type of the default suggests
_ROPES = (
    {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0},
    {"rope_type": "yarn", "factor": 4.0, "rope_theta": 90.0, "original_max_position_embeddings": 16},
    {"rope_type": "yarn", "factor": 2.0, "rope_theta": 90.0, "truncate": None},
    {"rope_type": "yarn", "factor": 2.0, "rope_theta": 90.0, "attention_factor": 1.7, "beta_fast": None},
    {"rope_type": "yarn", "factor": 4.0, "rope_theta": 90.0, "mscale": 0.7, "mscale_all_dim": 1.2},
    {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "rope_theta": 70.0},
    {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 70.0},
    {"rope_type": "default", "rope_theta": 70.0, "partial_rotary_factor": 0.5},
    {"rope_type": "default", "rope_theta": 70.0, "mrope_section": [1, 1, 2]},
    {"type": "linear", "factor": 3.0},
    {"rope_theta": 300.0},
)
_ACTIVATIONS = ("gelu", "relu", "silu", "gelu_new", "gelu_pytorch_tanh", "quick_gelu", "tanh")
_VALUES: dict[str, tuple[Any, ...]] = {
    "hidden_size": (48,),
    "num_attention_heads": (2, 8),
    "num_key_value_heads": (1, 4),
    "head_dim": (12, None),
    "vocab_size": (VOCABULARY + 5,),
    "num_hidden_layers": (1, 5),
    "intermediate_size": (24,),
    "max_position_embeddings": (100, 4096),
    "type_vocab_size": (1, 3),
    "hidden_act": _ACTIVATIONS,
    "hidden_activation": _ACTIVATIONS,
    "classifier_activation": _ACTIVATIONS,
    "classifier_pooling": ("mean",),
    "rope_parameters": _ROPES,
    "rope_scaling": _ROPES,
    "rope_theta": (100.0, 7),
    "local_rope_theta": (100.0,),
    "global_rope_theta": (100.0,),
    "rope_local_base_freq": (100.0,),
    "position_embedding_type": ("absolute", "relative_key", "rope"),
    "layer_types": (("full_attention",), ("sliding_attention",), ("chunked_attention",)),
    "num_labels": (1, 2),
    "id2label": ({"0": "LABEL_0"}, {"0": "a", "1": "b"}),
    "dtype": ("float32", "bfloat16"),
    "torch_dtype": ("float32",),
    "problem_type": ("regression", "multi_label_classification"),
    "attn_implementation": ("eager",),
    "pruned_heads": ({}, {"0": [1]}),
    "per_layer_config": ({}, {"0": {"sliding_window": 2}}),
    "quantization_config": ({"quant_method": "bitsandbytes", "load_in_8bit": True},),
    "auto_map": ({"AutoModel": "modeling_own.OwnModel"},),
    "original_max_position_embeddings": (16,),
    "partial_rotary_factor": (0.5, 1.0),
    "pad_token_id": (0, 4, None),
    "global_attn_every_n_layers": (2,),
    "sliding_window_pattern": (2,),
    "architectures": (None,),
}
# names of older releases and of other models, which a config.json may hold all the same
_MORE = (
    "rope_theta rope_scaling rope_parameters rope_local_base_freq sliding_window_pattern partial_rotary_factor "
    "original_max_position_embeddings is_causal use_bidirectional_attention hidden_act hidden_activation "
    "position_embedding_type sliding_window use_sliding_window layer_types global_attn_every_n_layers head_dim "
    "global_rope_theta local_rope_theta attention_bias mlp_bias attn_logit_softcapping final_logit_softcapping "
    "query_pre_attn_scalar quantization_config auto_map per_layer_config pruned_heads attn_implementation num_labels "
    "torch_dtype layer_norm_eps rms_norm_eps scale_emb scale_depth dim_model_base start_layer layer_wise a_new_key"
)
_OLD_ROPE = ("rope_theta", "rope_local_base_freq", "global_rope_theta", "local_rope_theta", "partial_rotary_factor")
_OLD_WINDOWS = ("global_attn_every_n_layers", "sliding_window_pattern", "max_window_layers", "use_sliding_window")
_NEVER = (
    "model_type",
    "_attn_implementation",
    "_attn_implementation_internal",
    "sub_configs",
    "text_config",
    "get_text_config",
)
_ASKED = re.compile(r"config\.([a-z]\w*)\b(?!\s*\()|getattr\([\w.]*config,\s*\"(\w+)\"")


@dataclass(frozen=True)
class Case:
    """One value of one attribute, `kind` being the model type."""

    kind: str
    key: str
    value: Any

    def __str__(self) -> str:
        return f"{self.kind} {self.key}={json.dumps(self.value)}"


@dataclass(frozen=True)
class Outcome:
    """What became of a case.

    Attributes:
        way: `equal`; `transformers`: equal, and run by it; `refused`; `neither`: the library fails, and here a line
            stands or the usual scores; or what is wrong: `DIFFERS`, `FAULT`, `UNNAMED` (a line without the key), or
            `ONLY OURS`.
        detail: the line, or the two scores.
        moved: how far the value moved the library's scores.
    """

    way: str
    detail: str = ""
    moved: float = 0.0

    @property
    def right(self) -> bool:
        """Whether it is one of the two outcomes that are allowed."""
        return self.way.islower()


def config_class(kind: str) -> Any:
    """The installed configuration class of a model type."""
    from transformers import CONFIG_MAPPING

    return CONFIG_MAPPING[kind]


def is_classifier(kind: str) -> bool:
    """Whether the model type is scored by a classification head, else as a causal language model."""
    return kind in ("bert", "roberta", "xlm-roberta", "modernbert")


@functools.cache
def base(kind: str) -> dict[str, Any]:
    """The config.json of a tiny checkpoint as the installed release writes it."""
    own = {"vocab_size": VOCABULARY, "pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, **SHAPES[kind]}
    own |= {"num_labels": 1} if is_classifier(kind) else {}
    config = config_class(kind)(**own)
    config.architectures = [_auto(kind)._model_mapping[type(config)].__name__]
    return {key: value for key, value in json.loads(config.to_json_string(use_diff=False)).items() if key[0] != "_"}


def _auto(kind: str) -> Any:
    import transformers

    return getattr(transformers, f"AutoModelFor{'SequenceClassification' if is_classifier(kind) else 'CausalLM'}")


@functools.cache
def attributes(kind: str) -> dict[str, Any]:
    """Every attribute of the class with its value in `base`, and the names that its model's code asks for."""
    import transformers

    cls, found = config_class(kind), dict(base(kind))
    package = Path(inspect.getfile(cls)).parent
    root = Path(inspect.getfile(transformers)).parent
    sources = [*package.glob("modeling_*.py"), *package.glob("configuration_*.py")]
    sources += [root / name for name in ("masking_utils.py", "modeling_rope_utils.py", "modeling_layers.py")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if path.is_file())
    asked = {name for pair in _ASKED.findall(text) for name in pair if name}
    signature = {name for name in inspect.signature(cls.__init__).parameters if name not in ("self", "kwargs")}
    for name in sorted({*asked, *signature, *_MORE.split()} - set(_NEVER)):
        default = getattr(config_class(kind)(), name, None)
        if not callable(default) and not isinstance(default, (torch.dtype, property)):
            found.setdefault(name, default)
    return {key: value for key, value in found.items() if key not in _NEVER}


def values(kind: str, key: str, default: Any) -> tuple[Any, ...]:
    """Other values of an attribute."""
    layers = base(kind)["num_hidden_layers"]
    if key == "layer_types":
        mixed = list(
            itertools.islice(itertools.cycle(["sliding_attention", "full_attention", "full_attention"]), layers)
        )
        return (*(list(name) * layers for name in _VALUES[key]), mixed)
    if key in ("rope_parameters", "rope_scaling") and kind in ("gemma3_text", "modernbert"):
        nested = [{"full_attention": rope, "sliding_attention": {"rope_theta": 60.0}} for rope in _ROPES[:4]]
        return (*nested, *_ROPES[:2])
    if key in _VALUES:
        return _VALUES[key]
    if isinstance(default, bool):
        return (not default,)
    if isinstance(default, int):
        return (default + 1, max(1, default // 2), None)
    if isinstance(default, float):
        return (default * 2 + 0.1, 1)
    if isinstance(default, str):
        return ("another",)
    if isinstance(default, list):
        return ([],)
    return (True, False, 3, 0.5) if default is None else ({"x": 1},)


def cases(kinds: tuple[str, ...] = tuple(SHAPES)) -> Iterator[Case]:
    """All of them, those values left out that are the attribute's own."""
    for kind in kinds:
        for key, default in attributes(kind).items():
            for value in values(kind, key, default):
                if value != base(kind).get(key, ...) or type(value) is not type(base(kind)[key]):
                    yield Case(kind, key, value)


class Bench:
    """Makes checkpoints in a folder and scores them both ways."""

    def __init__(self, root: Path) -> None:
        self.root, self.tokenizer = root, root / "tokenizer"
        word_tokenizer(self.tokenizer, tokenizer_class="PreTrainedTokenizerFast", **_NO_TYPES)
        word_tokenizer(root / "typed", tokenizer_class="PreTrainedTokenizerFast")
        self._usual: dict[str, list[float]] = {}

    def run(self, case: Case) -> Outcome:
        """Write the checkpoint, score it both ways, compare."""
        folder = self.root / "checkpoint"
        shutil.rmtree(folder, ignore_errors=True)
        self._write(case, folder)
        try:
            right, why = self.theirs(case.kind, folder), ""
        except Exception as err:
            right, why = None, " ".join(str(err).split())[:80]
        try:
            found, way = self.ours(case.kind, folder)
        except InputError as err:
            line = str(err).replace(str(folder), "FOLDER")
            named = "\n" not in line and (case.key in line or right is None)
            return Outcome(("refused" if right else "neither") if named else "UNNAMED", line)
        except Exception as err:
            return Outcome("FAULT", f"{type(err).__name__}: {err}"[:200])
        if right is None:  # no harm in a value that the library stumbles over, where it means nothing here
            usual = max(abs(a - b) for a, b in zip(found, self.usual(case.kind), strict=True)) <= TOLERANCE
            return Outcome("neither" if usual else "ONLY OURS", why)
        apart = max(abs(a - b) for a, b in zip(found, right, strict=True))
        moved = max(abs(a - b) for a, b in zip(self.usual(case.kind), right, strict=True))
        return Outcome(way if apart <= TOLERANCE else "DIFFERS", f"{found} {right}" if apart > TOLERANCE else "", moved)

    def usual(self, kind: str) -> list[float]:
        """The library's scores of the checkpoint as it is."""
        if kind not in self._usual:
            folder = self.root / f"usual-{kind}"
            self._write(Case(kind, "", ...), folder)
            self._usual[kind] = self.theirs(kind, folder)
        return self._usual[kind]

    def _write(self, case: Case, folder: Path) -> None:
        raw = copy.deepcopy(base(case.kind))
        if case.key in (
            "rope_theta",
            "rope_local_base_freq",
            "global_rope_theta",
            "local_rope_theta",
            "partial_rotary_factor",
        ):
            raw.pop("rope_parameters", None)  # where it is written, these are not asked for
        if case.key in (
            "global_attn_every_n_layers",
            "sliding_window_pattern",
            "max_window_layers",
            "use_sliding_window",
        ):
            raw.pop("layer_types", None)
        if case.key == "max_window_layers":
            raw["use_sliding_window"] = True
        if case.key == "num_labels":
            raw = {key: value for key, value in raw.items() if key not in ("id2label", "label2id")}
        if case.key:
            raw[case.key] = case.value
        cls = config_class(case.kind)
        try:
            model = _auto(case.kind).from_config(cls.from_dict(copy.deepcopy(raw)))
        except Exception:  # a value that the library refuses, too
            model = _auto(case.kind).from_config(cls.from_dict(copy.deepcopy(base(case.kind))))
        state = lively(model.float()).state_dict()
        kept = {tensor.data_ptr(): name for name, tensor in reversed(state.items())}  # the first name of tied ones
        folder.mkdir()
        save_file({name: state[name].contiguous() for name in kept.values()}, folder / "model.safetensors", _FORMAT)
        (folder / "config.json").write_text(json.dumps(raw), encoding="utf-8")
        kind = "typed" if case.kind == "bert" else "tokenizer"
        for path in (self.root / kind).iterdir():
            shutil.copy(path, folder)

    def theirs(self, kind: str, folder: Path) -> list[float]:
        """What transformers gives for each pair alone."""
        from transformers import AutoTokenizer

        model = _auto(kind).from_pretrained(folder, **_FLOAT).eval()
        tokenizer = AutoTokenizer.from_pretrained(folder)
        with torch.no_grad():
            if is_classifier(kind):
                return [model(**tokenizer([q], [p], return_tensors="pt"))[0].item() for q, p in LONG]
            parts = [("the", f"{query} . {passage}", "?") for query, passage in LONG]
            rows = [tokenizer(list(texts), add_special_tokens=False).input_ids for texts in parts]
            ids = [list(itertools.chain(*row)) for row in rows]
            logits = [model(input_ids=torch.tensor([row]))[0][0, -1] for row in ids]
            return [(row[TOKENS[0]] - row[TOKENS[1]]).item() for row in logits]

    def ours(self, kind: str, folder: Path) -> tuple[list[float], str]:
        """What this project gives in one call, and `equal` or `transformers` for who runs it."""
        model: Any = str(folder)
        if not is_classifier(kind):
            options = {"template": TEMPLATE, "tokens": list(TOKENS), "formula": "difference"}
            model = ModelSpec("tiny", "token-logit", str(folder), max_length=90, options=options)
        reranker = load(model, CPU)
        groups = [Group(query, [passage]) for query, passage in LONG]
        scores = reranker.score(groups, [Setting()], TextOptions()).scores[0].tolist()
        return scores, "transformers" if hasattr(reranker, "probe") else "equal"


_NO_TYPES: dict[str, Any] = {"model_input_names": ["input_ids", "attention_mask"]}
_FLOAT, _FORMAT = {"dtype": torch.float32}, {"format": "pt"}


def quiet() -> None:
    """No progress bars or warnings of the libraries."""
    import warnings

    from transformers.utils import logging as theirs

    warnings.simplefilter("ignore")
    theirs.set_verbosity(60)
    theirs.disable_progress_bar()


def main(chosen: list[str]) -> None:
    """Run all cases and print the table."""
    import transformers

    quiet()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}\n")
    print("| model type | attributes | cases | equal | run by transformers | refused | neither runs it | wrong |")
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    wrong: list[str] = []
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as root:
        bench = Bench(Path(root))
        for kind in chosen or SHAPES:
            own = list(cases((kind,)))
            found = [(case, bench.run(case)) for case in own]
            counts = Counter(outcome.way if outcome.right else "wrong" for _, outcome in found)
            total += counts
            shown = " | ".join(str(counts[way]) for way in ("equal", "transformers", "refused", "neither", "wrong"))
            print(f"| {kind} | {len(attributes(kind))} | {len(own)} | {shown} |", flush=True)
            wrong += [f"{outcome.way} {case}: {outcome.detail[:300]}" for case, outcome in found if not outcome.right]
    print(f"\n{sum(total.values())} cases: {dict(total)}")
    print("\n".join(wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
