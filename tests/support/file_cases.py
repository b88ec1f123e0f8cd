"""Every key of the other files of a model folder set to another value, beside the library that reads that file.

A case is one value of one key in one file of a tiny folder: of transformers' tokenizer, of sentence-transformers'
modules, of generation, of a peft adapter. What this project gives is the library's score of each pair alone within
2e-3, or one line. Prints a line per file and what failed.

    PYTHONPATH=tests/support python tests/support/file_cases.py [FILE ...]
"""

from __future__ import annotations

import copy
import dataclasses
import inspect
import json
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from config_cases import TOLERANCE, Outcome, quiet
from rerankbench.rerankers import InputError
from wild import PAIRS, SPECIAL, TINY, WORDS, alone, classifier, edit, lively, ours, word_tokenizer

LONG = [*PAIRS, ("where is the Train ?", "the quiet lamp of the river and the green paper . café " * 9)]
Scores = list[float]
VALUES: dict[str, tuple[Any, ...]] = {
    "model_max_length": (20, 10**30, None),
    "max_seq_length": (20, None),
    "query_length": (4,),
    "document_length": (6,),
    "padding_side": ("left",),
    "truncation_side": ("left",),
    "tokenizer_class": ("PreTrainedTokenizerFast", "BertTokenizerFast", "TokenizersBackend", "DistilBertTokenizer"),
    "cls_token": ("the", None),
    "sep_token": ("[MASK]", None),
    "unk_token": ("panda",),
    "pad_token": ("[UNK]", None),
    "model_input_names": (["input_ids", "attention_mask"], ["input_ids"]),
    "added_tokens_decoder": ({"7": {"content": "a", "special": True}}, {"44": {"content": "pand", "special": False}}),
    "additional_special_tokens": (["panda"], ["new"]),
    "extra_special_tokens": ({"x_token": "panda"}, ["panda"]),
    "auto_map": ({"AutoTokenizer": ["tokenization_own.OwnTokenizer", None]},),
    "chat_template": ("{{ messages }}",),
    "activation_fn": ("torch.nn.modules.activation.Tanh", "torch.nn.modules.linear.Identity", "a.module.Function"),
    "similarity_fn_name": ("dot", "euclidean", "manhattan", "other"),
    "prompts": ({"p": "the "}, {"query": "what ", "document": "a "}),
    "default_prompt_name": ("p",),
    "model_type": ("SparseEncoder", "CrossEncoder"),  # the third is another library class, and said so
    "truncate_dim": (5,),
    "transformer_task": ("sequence-classification", "feature-extraction", "fill-mask", "text-generation"),
    "modality_config": ({}, {"text": {"method": "forward", "method_output_name": "pooler_output"}}),
    "module_output_name": ("scores", "sentence_embedding"),
    "type": ("sentence_transformers.base.modules.transformer.Transformer", "own.Module"),
    "path": ("elsewhere",),
    "task_type": ("CAUSAL_LM", "TOKEN_CLS", "FEATURE_EXTRACTION", None),
    "peft_type": ("IA3", "LOHA"),
    "target_modules": (["query", "value", "dense"], ["key"]),
    "modules_to_save": (["classifier", "pooler"], None),
    "lora_alpha": (3, 40),
    "rank_pattern": ({"query": 2},),
    "alpha_pattern": ({"query": 16},),
    "bias": ("all", "lora_only"),
    "layers_to_transform": ([0], 1),
    "base_model_name_or_path": ("./nowhere",),
    "revision": ("main",),
    "auto_mapping": ({"base_model_class": "BertForMaskedLM", "parent_library": "transformers"},),
}
SCALARS: dict[type, Callable[[Any], tuple[Any, ...]]] = {
    bool: lambda v: (not v,),
    int: lambda v: (v + 1, 0),
    float: lambda v: (v * 2 + 0.5,),
    str: lambda v: ("other",),
}


@dataclass(frozen=True)
class File:
    """One file of a folder.

    Attributes:
        name: relative to the folder.
        make: writes a whole folder.
        theirs: what the library gives for each pair alone.
        known: names of keys that the library has, with their defaults.
    """

    name: str
    make: Callable[[Path], None]
    theirs: Callable[[Path], Scores]
    known: Callable[[], dict[str, Any]]


@dataclass(frozen=True)
class Case:
    """One value of one key of a file."""

    file: str
    key: str
    value: Any

    def __str__(self) -> str:
        return f"{self.file} {self.key}={json.dumps(self.value, default=str)}"


def _bert(folder: Path) -> None:
    classifier(folder, "Bert")
    word_tokenizer(folder)
    (folder / "generation_config.json").write_text(json.dumps({"_from_model_config": True, "max_length": 20}))


def _alone(folder: Path) -> Scores:
    from transformers import AutoTokenizer

    # the length that is the default here: the tokenizer's own, not beyond the model's positions
    length = min(AutoTokenizer.from_pretrained(folder).model_max_length or 10**30, 512)
    return alone(folder, LONG, truncation="only_second", max_length=length)


def _saved(kind: str) -> Callable[[Path], None]:
    """A maker of a folder that sentence-transformers saved: a plain cross-encoder, a modular one, or an encoder."""

    def make(folder: Path) -> None:
        import sentence_transformers as st
        from sentence_transformers.base import modules as base
        from sentence_transformers.sentence_transformer import modules

        inner = folder.with_name(f"{folder.name}-inner")
        shutil.rmtree(inner, ignore_errors=True)
        word_tokenizer(inner)
        if kind == "plain":
            classifier(inner, "Bert")
            model = st.CrossEncoder(str(inner), device="cpu", max_length=64)
        else:
            from transformers import BertConfig, BertModel

            sizes: dict[str, Any] = {"vocab_size": len(SPECIAL) + len(WORDS), **TINY}
            lively(BertModel(BertConfig(**sizes))).save_pretrained(inner)
            torch.manual_seed(2)
            parts: list[Any] = [base.Transformer(str(inner)), modules.Pooling(32, pooling_mode="mean")]
            if kind == "modular":
                parts.append(base.Dense(32, 1, activation_function=None, module_output_name="scores"))
            model = (st.CrossEncoder if kind == "modular" else st.SentenceTransformer)(modules=parts, device="cpu")
        model.save_pretrained(str(folder))

    return make


def _predicted(folder: Path) -> Scores:
    import sentence_transformers as st

    model = st.CrossEncoder(str(folder), device="cpu")
    return [float(model.predict([pair], show_progress_bar=False)[0]) for pair in LONG]


def _similar(folder: Path) -> Scores:
    import sentence_transformers as st

    model = st.SentenceTransformer(str(folder), device="cpu")
    return [float(model.similarity(model.encode_query(q), model.encode_document(p))) for q, p in LONG]


def _adapter(folder: Path) -> None:
    import peft
    from transformers import AutoModelForSequenceClassification

    base = folder.with_name("base")
    if not base.exists():
        classifier(base, "Bert")
        word_tokenizer(base)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    config = peft.LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["query", "value"])
    lively(peft.get_peft_model(model, config), seed=5).save_pretrained(folder)


def _by_peft(folder: Path) -> Scores:
    import peft
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = folder.with_name("base")
    model: Any = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    model = peft.PeftModel.from_pretrained(model, str(folder)).eval()
    tokenizer = AutoTokenizer.from_pretrained(base)
    with torch.no_grad():
        return [model(**tokenizer([q], [p], return_tensors="pt")).logits.item() for q, p in LONG]


def _signature(cls: Any) -> dict[str, Any]:
    skipped = ("self", "args", "kwargs", "model_name_or_path", "cache_dir", "backend")
    found = inspect.signature(cls.__init__).parameters
    return {name: None if p.default is p.empty else p.default for name, p in found.items() if name not in skipped}


def _tokenizer_keys() -> dict[str, Any]:
    import transformers

    classes: Any = (getattr(transformers, "BertTokenizerFast"), transformers.PreTrainedTokenizerFast)  # noqa: B009
    own = [name for cls in classes for name in _signature(cls)]
    more = (
        "do_lower_case strip_accents tokenize_chinese_chars split_special_tokens clean_up_tokenization_spaces "
        "add_prefix_space add_bos_token add_eos_token padding_side truncation_side truncation_strategy max_length "
        "stride pad_to_multiple_of pad_token_type_id model_input_names legacy use_fast name_or_path processor_class "
        "added_tokens_decoder additional_special_tokens extra_special_tokens auto_map chat_template never_split "
        "add_special_tokens verbose return_token_type_ids a_new_key"
    )
    return dict.fromkeys([*own, *more.split()])


def _generation_keys() -> dict[str, Any]:
    from transformers import GenerationConfig

    return GenerationConfig().to_dict()


def _transformer_keys() -> dict[str, Any]:
    from sentence_transformers.base import modules as base

    keys = getattr(base.Transformer, "config_keys", [])
    return {**_signature(base.Transformer), **dict.fromkeys(keys), "a_new_key": None}


def _settings_keys() -> dict[str, Any]:
    names = "prompts default_prompt_name similarity_fn_name truncate_dim activation_fn model_type a_new_key num_labels"
    return dict.fromkeys(names.split())


def _peft_keys() -> dict[str, Any]:
    import peft

    return {f.name: None for f in dataclasses.fields(peft.LoraConfig)} | {"a_new_key": None}


SBERT, SETTINGS = "sentence_bert_config.json", "config_sentence_transformers.json"
FILES: dict[str, File] = {
    "tokenizer": File("tokenizer_config.json", _bert, _alone, _tokenizer_keys),
    "generation": File("generation_config.json", _bert, _alone, _generation_keys),
    "cross-encoder": File(SBERT, _saved("plain"), _predicted, _transformer_keys),
    "cross-encoder settings": File(SETTINGS, _saved("plain"), _predicted, _settings_keys),
    "modular": File(SBERT, _saved("modular"), _predicted, _transformer_keys),
    "modular settings": File(SETTINGS, _saved("modular"), _predicted, _settings_keys),
    "modules": File("modules.json", _saved("modular"), _predicted, lambda: {}),
    "encoder": File(SBERT, _saved("encoder"), _similar, _transformer_keys),
    "encoder settings": File(SETTINGS, _saved("encoder"), _similar, _settings_keys),
    "adapter": File("adapter_config.json", _adapter, _by_peft, _peft_keys),
}


def values(key: str, default: Any) -> tuple[Any, ...]:
    """Other values of a key."""
    if key in VALUES:
        return VALUES[key]
    if default is None:
        return (True, False, 3, "other")
    if type(default) in SCALARS:
        return (*SCALARS[type(default)](default), None)
    return ([], None) if isinstance(default, list) else ({}, None)


class Bench:
    """Makes each file's folder once, and scores copies of it with one key changed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._usual: dict[str, Scores] = {}

    def folder(self, name: str) -> Path:
        """The folder as the library saved it."""
        path = self.root / name.replace(" ", "-")
        if not path.exists():
            FILES[name].make(path)
            self._usual[name] = FILES[name].theirs(path)
        return path

    def cases(self, name: str) -> Iterator[Case]:
        """All of a file."""
        content = json.loads((self.folder(name) / FILES[name].name).read_text())
        first = content[0] if isinstance(content, list) else content
        for key, default in {**FILES[name].known(), **first}.items():
            if key in ("model_name_or_path",) or isinstance(default, (torch.dtype, type)):
                continue
            for value in values(key, first.get(key, default)):
                if value != first.get(key, ...) or type(value) is not type(first[key]):
                    yield Case(name, key, value)

    def run(self, case: Case) -> Outcome:
        """Write the folder, score it both ways, compare."""
        base, file = self.folder(case.file), FILES[case.file]
        folder = base.with_name("case")
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(base, folder)
        path = folder / file.name
        if isinstance(content := json.loads(path.read_text()), list):
            changed = copy.deepcopy(content)
            changed[0][case.key] = case.value
            path.write_text(json.dumps(changed))
        else:
            edit(path, **{case.key: case.value})
        try:
            right, why = file.theirs(folder), ""
            if any(score != score for score in right):
                right, why = None, "not a number"
        except Exception as err:
            right, why = None, " ".join(str(err).split())[:100]
        try:
            found = ours(folder, LONG)
        except InputError as err:
            line = str(err).replace(str(folder), "FOLDER")
            return Outcome("UNNAMED" if "\n" in line else "refused" if right else "neither", line)
        except Exception as err:
            return Outcome("FAULT", f"{type(err).__name__}: {err}"[:200])
        usual = self._usual[case.file]
        if right is None:
            same = max(abs(a - b) for a, b in zip(found, usual, strict=True)) <= TOLERANCE
            return Outcome("neither" if same else "ONLY OURS", why)
        apart = max(abs(a - b) for a, b in zip(found, right, strict=True))
        moved = max(abs(a - b) for a, b in zip(usual, right, strict=True))
        return Outcome(
            "equal" if apart <= TOLERANCE else "DIFFERS", f"{found} {right}" if apart > TOLERANCE else "", moved
        )


def main(chosen: list[str]) -> None:
    """Run all cases and print the table."""
    os.environ["HF_HUB_OFFLINE"] = "1"  # before huggingface_hub is asked for a base that is nowhere
    quiet()
    print("| file | cases | equal | refused | neither runs it | wrong |\n|---|--:|--:|--:|--:|--:|")
    wrong: list[str] = []
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as root:
        os.environ["RERANKBENCH_CACHE"] = f"{root}/cache"
        bench = Bench(Path(root))
        for name in chosen or FILES:
            found = [(case, bench.run(case)) for case in bench.cases(name)]
            counts = Counter(outcome.way if outcome.right else "wrong" for _, outcome in found)
            total += counts
            shown = " | ".join(str(counts[way]) for way in ("equal", "refused", "neither", "wrong"))
            print(f"| {FILES[name].name} ({name}) | {len(found)} | {shown} |", flush=True)
            wrong += [f"{outcome.way} {case}: {outcome.detail[:200]}" for case, outcome in found if not outcome.right]
    print(f"\n{sum(total.values())} cases: {dict(total)}")
    print("\n".join(wrong))
    raise SystemExit(bool(wrong))


if __name__ == "__main__":
    main(sys.argv[1:])
