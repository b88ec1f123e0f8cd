"""Any other sequence classifier with one output, run by transformers on padded batches."""

from __future__ import annotations

import inspect
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from ..api import Executed, Group, Prepared, Scored
from ..batching import run_batches
from ..checks import check_finite
from ..device import dtype_name, resolve_device, resolve_dtype
from ..errors import InputError
from ..hub import Resolved
from ..options import LoadOptions, TextOptions
from ..pairs import build_pairs
from ..settings import Setting
from ..spec import ModelSpec
from ..tokenizer import Tokenizer
from .cross_encoder import BUDGET

VERSION = 1  # part of every result's identity; raise it when a score changes


class SequenceClassification:
    """Adapter of `AutoModelForSequenceClassification`. Its shape is not known here, so FLOPs are not measured."""

    config = None

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        device = resolve_device(options.device)
        dtype = resolve_dtype(options.dtype, device)
        self.spec, self.files = spec, files
        self.tokenizer = Tokenizer(files.folder)
        self.model = _load(spec, files, dtype).to(device).eval()
        pad = self.tokenizer.special.get("pad_token", self.model.config.pad_token_id)
        if pad is None:
            raise InputError(f"{files.folder}: neither tokenizer nor config.json names a padding token")
        self.pad_id = int(pad)
        self.takes_types = "token_type_ids" in inspect.signature(self.model.forward).parameters
        self.device, self.dtype = str(device), dtype_name(dtype)
        self.token_budget = options.token_budget or BUDGET.get(device.type, BUDGET["cpu"])

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker.identity`."""
        text = self._filled(text)
        return {
            "adapter": f"sequence-classification/{VERSION}",
            **self.files.identity,
            "dtype": self.dtype,
            "max_length": text.max_length,
            "query_max_length": text.query_max_length if text.truncation == "class" else None,
            "truncation": text.truncation,
            "trust_remote_code": self.spec.trust_remote_code,
        }

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting != Setting():
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' runs at full depth only")
        return []

    def prepare(self, groups: Sequence[Group], text: TextOptions) -> Prepared:
        """See `api.Reranker.prepare`."""
        start = time.perf_counter()
        pairs = build_pairs(self.tokenizer, groups, self._filled(text))
        return Prepared(pairs, time.perf_counter() - start)

    @torch.inference_mode()
    def score(
        self, groups: Sequence[Group], settings: Sequence[Setting], text: TextOptions, prepared: Prepared | None = None
    ) -> Scored:
        """See `api.Reranker.score`."""
        for setting in settings:
            self.check(setting)
        prepared = prepared or self.prepare(groups, text)
        pairs = prepared.tokens
        lengths = [len(ids) for ids in pairs.ids]
        second_type = self.tokenizer.second_type() if self.takes_types else 0
        start = time.perf_counter()
        device, padded = torch.device(self.device), 0
        found = torch.empty(len(lengths), dtype=torch.float32, device=device)

        def run(batch: list[int]) -> None:
            nonlocal padded
            width = max(lengths[i] for i in batch)
            ids = torch.full((len(batch), width), self.pad_id)
            mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
            for row, i in enumerate(batch):
                ids[row, : lengths[i]] = torch.tensor(pairs.ids[i])
                mask[row, : lengths[i]] = 1
                types[row, int(pairs.query_tokens[i]) : lengths[i]] = second_type
            inputs = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if second_type else {})
            logits = self.model(**{name: value.to(device) for name, value in inputs.items()}).logits
            found[torch.tensor(batch, device=device)] = logits.reshape(len(batch)).float()
            padded += ids.numel() - sum(lengths[i] for i in batch)

        self.token_budget = run_batches(lengths, self.token_budget, run)
        scores = np.repeat(found.cpu().numpy()[None], len(settings), axis=0)
        seconds = {"tokenise": prepared.seconds, "forward": time.perf_counter() - start}
        texts = [(group.query, passage) for group in groups for passage in group.passages]
        check_finite(scores, [setting.name for setting in settings], texts, self.dtype)
        return Scored(
            scores=scores,
            query_tokens=pairs.query_tokens,
            passage_tokens=pairs.passage_tokens,
            prompt_tokens=np.zeros(len(lengths), dtype=np.int32),
            truncated=pairs.truncated,
            executed=Executed(real_tokens=sum(lengths), padded_tokens=padded, seconds=seconds),
        )

    def _filled(self, text: TextOptions) -> TextOptions:
        return text.with_defaults(prompt=None, max_length=self.spec.max_length)


def _load(spec: ModelSpec, files: Resolved, dtype: torch.dtype) -> Any:
    import transformers
    from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification

    known = files.config.get("model_type") in CONFIG_MAPPING
    if not known and not spec.trust_remote_code:
        kind = files.config.get("model_type")
        raise InputError(
            f"model '{spec.name}': transformers {transformers.__version__} does not know model_type '{kind}'; if you "
            "trust the code in its repository, set `trust_remote_code: true` in the model's YAML file"
        )
    name = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    try:
        model, report = AutoModelForSequenceClassification.from_pretrained(
            files.folder, trust_remote_code=spec.trust_remote_code, output_loading_info=True, **{name: dtype}
        )
    except (ValueError, RuntimeError, ImportError, OSError) as err:
        raise InputError(
            f"model '{spec.name}': transformers cannot load it: {' '.join(str(err).split())[:300]}"
        ) from err
    missing = sorted(report["missing_keys"])
    if missing:  # transformers fills them with random numbers
        raise InputError(f"{files.folder}: the checkpoint lacks {', '.join(missing[:4])}; is it a sequence classifier?")
    if model.config.num_labels != 1:
        raise InputError(f"{files.folder}: {model.config.num_labels} outputs; a reranker has one")
    return model
