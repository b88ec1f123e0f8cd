"""Every `…ForSequenceClassification` of the installed transformers that can be built tiny on a CPU, beside the library.

For each: random weights, one output, a word tokenizer; scores of pairs of many lengths in one call of this project
against transformers' own for each pair alone. Prints architecture, how it is run, and the largest difference.

    PYTHONPATH=tests/support python tests/support/architecture_matrix.py [NAME ...]
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rerankbench.rerankers import InputError, LoadOptions, Setting, TextOptions, load
from rerankbench.rerankers.api import Group
from wild import PAIRS, SPECIAL, WORDS, alone, lively, word_tokenizer

LONG = [("what is a panda ?", "the quiet lamp of the river " * n) for n in (3, 12, 13, 11)]
ALL = [*PAIRS, *LONG]
SIZES = {
    **dict.fromkeys(
        ("hidden_size", "d_model", "dim", "n_embd", "emb_dim", "embedding_size", "word_embed_proj_dim"), 32
    ),
    **dict.fromkeys(("num_hidden_layers", "n_layers", "n_layer", "num_layers", "encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("num_attention_heads", "n_heads", "n_head", "num_heads", "encoder_attention_heads"), 4),
    **dict.fromkeys(("intermediate_size", "ffn_dim", "hidden_dim", "d_ff", "d_inner", "encoder_ffn_dim"), 48),
    **dict.fromkeys(("decoder_attention_heads", "num_decoder_heads"), 4),
    **dict.fromkeys(("decoder_ffn_dim", "moe_intermediate_size", "shared_expert_intermediate_size", "n_inner"), 48),
    **dict.fromkeys(("num_key_value_heads", "num_kv_heads", "num_decoder_layers"), 2),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("head_dim", "d_kv", "kv_lora_rank", "q_lora_rank"), 8),
    "vocab_size": len(SPECIAL) + len(WORDS),
    "num_labels": 1,
    "type_vocab_size": 2,
}
# what an architecture needs beyond these
MORE: dict[str, dict[str, Any]] = {
    "BigBird": {"block_size": 8},
    "BigBirdPegasus": {"block_size": 8},
    **{key: {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]} for key in ("Deberta", "DebertaV2")},
    **{key: {"qk_nope_head_dim": 8, "qk_rope_head_dim": 8, "v_head_dim": 8} for key in ("DeepseekV2", "DeepseekV3")},
    "Funnel": {"block_sizes": [1, 1], "num_hidden_layers": ...},
    "GPTJ": {"rotary_dim": 4},
    "GPTNeo": {"attention_types": [[["global", "local"], 1]]},
    "Longformer": {"attention_window": 8, "pad_token_id": 0},
    "MobileBert": {"true_hidden_size": 32, "intra_bottleneck_size": 32},
    "Perceiver": {"num_latents": 8, "d_latents": 32},
    "Qwen3Moe": {"num_experts_per_tok": 2},
    "Reformer": {"is_decoder": False, "axial_pos_embds": False, "attn_layers": ["local", "lsh"], "num_buckets": 4},
    "SqueezeBert": {f"{part}_groups": 1 for part in ("q", "k", "v", "post_attention", "intermediate", "output")},
    **{key: {"decoder_start_token_id": 0} for key in ("MT5", "T5", "UMT5")},
}


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        way: how it is run, or why there is no score.
        difference: the largest of a score to the library's; None where there is none.
        batches: which pairs share a pass.
        spread: of the library's scores, so that a small difference says something.
    """

    name: str
    way: str
    difference: float | None = None
    batches: str = ""
    spread: float = 0.0


def names() -> list[str]:
    """The architectures of `AutoModelForSequenceClassification`, sorted."""
    from transformers.models.auto import modeling_auto

    table = modeling_auto.MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES
    found = {cls for value in table.values() for cls in ([value] if isinstance(value, str) else value)}
    return sorted(name.removesuffix("ForSequenceClassification") for name in found)


def build(name: str, folder: Path, dropped: tuple[str, ...]) -> None:
    """Write a tiny checkpoint without some of SIZES. Raises what transformers raises when it cannot be made."""
    import transformers

    cls = getattr(transformers, f"{name}ForSequenceClassification")
    default = cls.config_class()
    if default.get_text_config() is not default:
        raise ValueError("reads more than text")
    wanted = {key: value for key, value in {**SIZES, **MORE.get(name, {})}.items() if value is not ...}
    forced = {key: value for key, value in MORE.get(name, {}).items() if value is not ...}
    known = {key: value for key, value in wanted.items() if hasattr(default, key) and key not in dropped}
    for key, value in MORE.get(name, {}).items():
        if value is ...:
            known.pop(key, None)
    config = cls.config_class(**{"pad_token_id": 0, "bos_token_id": 2, "eos_token_id": 3, **known, **forced})
    with torch.device("meta"):
        size = sum(p.numel() for p in cls(config).parameters())
    if size > 20_000_000:
        raise ValueError("its default shape is too large and has sizes of other names")
    lively(cls(config)).save_pretrained(folder)
    word_tokenizer(folder, tokenizer_class="PreTrainedTokenizerFast", model_input_names=_inputs(cls))


def row(name: str) -> Row:
    """Build, score both ways, compare."""
    with tempfile.TemporaryDirectory() as root:
        folder, right, why = Path(root), [], ""
        for number, dropped in enumerate(((), ("head_dim", "d_kv", "kv_lora_rank", "q_lora_rank"))):
            folder = Path(root) / str(number)
            try:
                build(name, folder, dropped)
                right = alone(folder, ALL)
                break
            except Exception as err:
                why = why or " ".join(str(err).split())[:90] or type(err).__name__
        if not right:
            return Row(name, f"not built: {why}")
        try:
            reranker = load(str(folder), LoadOptions("cpu", "float32"))
            groups = [Group(query, [passage]) for query, passage in ALL]
            found = reranker.score(groups, [Setting()], TextOptions()).scores[0]
        except InputError as err:
            return Row(name, f"refused: {str(err).replace(str(folder), 'FOLDER')[:110]}")
        probe: Any = getattr(reranker, "probe", None)
        way = "native" if probe is None else "through transformers"
        batches = "packed" if probe is None else probe.mode
        return Row(name, way, float(np.abs(found - right).max()), batches, float(np.ptp(right)))


def _inputs(cls: Any) -> list[str]:
    import inspect

    takes = inspect.signature(cls.forward).parameters
    return [name for name in ("input_ids", "token_type_ids", "attention_mask") if name in takes]


def quiet() -> None:
    """No progress bars or warnings of the libraries."""
    from transformers.utils import logging as theirs

    theirs.set_verbosity_error()
    theirs.disable_progress_bar()


def main(chosen: list[str]) -> None:
    """Print the table."""
    import transformers

    quiet()
    logging.getLogger("rerankbench").setLevel(logging.ERROR)
    print(f"transformers {transformers.__version__}, torch {torch.__version__}\n")
    print("| architecture | run | batches | spread of scores | largest difference |\n|---|---|---|--:|--:|")
    rows = []
    for name in chosen or names():
        with contextlib.redirect_stderr(io.StringIO()):
            one = row(name)
        rows.append(one)
        figures = " | | " if one.difference is None else f" {one.batches} | {one.spread:.1f} | {one.difference:.1e} "
        print(f"| {one.name} | {one.way} |{figures}|", flush=True)
    scored = [one for one in rows if one.difference is not None]
    wrong = [one.name for one in scored if one.difference is not None and one.difference > 1e-4]
    print(f"\n{len(scored)} of {len(rows)} scored; more than 1e-4 apart: {', '.join(wrong) or 'none'}")


if __name__ == "__main__":
    main(sys.argv[1:])
