"""One peer in its own process. Stands alone, so that any Python that has the peer can run it.

Arguments: PEER FAMILY CHECKPOINT PAIRS.json DTYPE THREADS OPTIONS.json. Then, for every line on stdin, all pairs are
scored once and one JSON line comes back on stdout: seconds, peak memory, tokens that entered the model; the first
line that comes back says what was loaded. Scores are written to the file that the line on stdin names.
"""

import json
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any


def load_flagembedding(checkpoint, dtype, options):
    """A function from pairs to scores, and the torch module inside."""
    import FlagEmbedding  # pyright: ignore[reportMissingImports]

    runs = options["runs"]
    call = {key: options[key] for key in runs.get("options", ())}
    kwargs = {"use_bf16": dtype == "bfloat16"} if runs["bf16"] == "option" else {}
    scorer = getattr(FlagEmbedding, runs["class"])(checkpoint, devices=options["device"], use_fp16=False, **kwargs)
    module: Any = scorer.model
    if runs["bf16"] == "cast" and dtype == "bfloat16":
        module.bfloat16()
    if options.get("batch_size"):
        call["batch_size"] = options["batch_size"]

    def score(pairs):
        return scorer.compute_score([list(pair) for pair in pairs], max_length=options["max_length"], **call)

    return score, module


def load_sentence_transformers(checkpoint, dtype, options):
    """Likewise for sentence-transformers' CrossEncoder."""
    import torch
    from sentence_transformers import CrossEncoder

    scorer = CrossEncoder(checkpoint, max_length=options["max_length"], device=options["device"])
    # the classifier itself: releases differ in what they wrap around it
    whole: Any = scorer.model
    module = next(m for m in whole.modules() if type(m).__name__.endswith("ForSequenceClassification"))
    if dtype == "bfloat16":
        module.bfloat16()
    batch = {"batch_size": options["batch_size"]} if options.get("batch_size") else {}

    def score(pairs):
        kwargs = {"show_progress_bar": False, "convert_to_tensor": True, **batch}
        try:
            found = scorer.predict(pairs, activation_fn=torch.nn.Identity(), **kwargs)
        except (TypeError, ValueError):  # releases before 4 call it otherwise
            found = scorer.predict(pairs, activation_fct=torch.nn.Identity(), **kwargs)
        return found.float().tolist()

    return score, module


def load_transformers(checkpoint, dtype, options):
    """Likewise for transformers alone: SDPA attention, pairs sorted by length, so that batches pad little.

    A causal language model is asked by a prompt, padded on the left, and computes the logits of the last token alone.
    """
    import torch
    import transformers

    prompt = options.get("prompt")
    tokenizer = transformers.AutoTokenizer.from_pretrained(checkpoint, **({"padding_side": "left"} if prompt else {}))
    model = getattr(transformers, options["runs"]["class"]).from_pretrained(checkpoint, attn_implementation="sdpa")
    model = model.to(options["device"], getattr(torch, dtype)).eval()
    size = options.get("batch_size") or 32
    last = {"logits_to_keep": 1, "use_cache": False} if prompt else {}

    def asked(pair):
        return prompt.replace("{query}", pair[0]).replace("{passage}", pair[1])

    def read(logits):
        if not prompt:
            return logits[:, 0]
        rows = logits[:, -1, options["tokens"]]
        return rows[:, 0] - rows[:, 1] if rows.shape[1] > 1 else rows[:, 0]

    @torch.inference_mode()
    def score(pairs):
        texts = [asked(pair) for pair in pairs] if prompt else pairs
        ids = tokenizer(texts, truncation=True, max_length=options["max_length"])["input_ids"]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]), reverse=True)
        found = [0.0] * len(ids)
        for start in range(0, len(order), size):
            some = order[start : start + size]
            batch = tokenizer.pad({"input_ids": [ids[i] for i in some]}, return_tensors="pt").to(options["device"])
            for i, logit in zip(some, read(model(**batch, **last).logits.float()).tolist()):
                found[i] = logit
        return found

    return score, model


LOADERS = {
    "FlagEmbedding": load_flagembedding,
    "sentence-transformers": load_sentence_transformers,
    "transformers": load_transformers,
}


def main():
    """Load, then score at every line."""
    peer, _, checkpoint, pairs_file, dtype, threads, options_file = sys.argv[1:]
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    sys.stdout = sys.stderr  # peers print
    os.environ["OMP_NUM_THREADS"] = threads
    import torch

    torch.set_num_threads(int(threads))
    options = json.loads(Path(options_file).read_text(encoding="utf-8"))
    groups = json.loads(Path(pairs_file).read_text(encoding="utf-8"))
    pairs = [(query, passage) for query, passages in groups for passage in passages]
    score, module = LOADERS[peer](checkpoint, dtype, options)

    seen = {"tokens": 0, "real": 0}

    def count(_module, _args, kwargs):
        if kwargs.get("attention_mask") is not None:
            seen["tokens"] += kwargs["attention_mask"].numel()
            seen["real"] += int(kwargs["attention_mask"].sum())

    module.register_forward_pre_hook(count, with_kwargs=True)
    versions = {name: sys.modules[name].__version__ for name in ("torch", "transformers")}
    answers.write(json.dumps({"ready": peer, "versions": versions}) + "\n")
    for line in sys.stdin:
        seen.update(tokens=0, real=0)
        start = time.perf_counter()
        scores = score(pairs)
        if options["device"].startswith("cuda"):
            torch.cuda.synchronize()
        seconds = time.perf_counter() - start
        Path(line.strip()).write_text(json.dumps([float(x) for x in scores]), encoding="utf-8")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        answer = {"seconds": seconds, "tokens": seen["tokens"], "padded": seen["tokens"] - seen["real"]}
        if options["device"].startswith("cuda"):
            peak = torch.cuda.max_memory_allocated()
        answers.write(json.dumps({**answer, "peak_memory_bytes": peak}) + "\n")


if __name__ == "__main__":
    main()
