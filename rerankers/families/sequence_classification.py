"""Any other sequence classifier with one output, run by transformers on padded batches."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch

from ..device import resolve_device, resolve_dtype
from ..errors import InputError
from ..hub import Resolved
from ..models.work import Work
from ..options import LoadOptions, TextOptions
from ..pairs import Pairs
from ..settings import Setting
from ..spec import ModelSpec
from .pair_family import PairFamily


class SequenceClassification(PairFamily):
    """Adapter of `AutoModelForSequenceClassification`. Its shape is not known here, so FLOPs are not measured."""

    adapter = "sequence-classification/1"

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        device = resolve_device(options.device)
        dtype = resolve_dtype(options.dtype, device)
        super().__init__(spec, files, options, None, device, dtype)
        self.model = _load(spec, files, dtype).to(device).eval()
        pad = self.tokenizer.special.get("pad_token", self.model.config.pad_token_id)
        if pad is None:
            raise InputError(f"{files.folder}: neither tokenizer nor config.json names a padding token")
        self.pad_id = int(pad)
        takes_types = "token_type_ids" in inspect.signature(self.model.forward).parameters
        self.second_type = self.tokenizer.second_type() if takes_types else 0

    def identity(self, text: TextOptions) -> dict[str, Any]:
        """See `api.Reranker.identity`."""
        return {**super().identity(text), "trust_remote_code": self.spec.trust_remote_code}

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting != Setting():
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' runs at full depth only")
        return []

    def logits(self, pairs: Pairs, batch: Sequence[int], work: Work) -> tuple[torch.Tensor, int]:
        """See `PairFamily.logits`; the batch is padded to its longest pair."""
        lengths = [len(pairs.ids[i]) for i in batch]
        ids = torch.full((len(batch), max(lengths)), self.pad_id)
        mask, types = torch.zeros_like(ids), torch.zeros_like(ids)
        for row, (i, length) in enumerate(zip(batch, lengths)):
            ids[row, :length] = torch.tensor(pairs.ids[i])
            mask[row, :length] = 1
            types[row, int(pairs.query_tokens[i]) : length] = self.second_type
        inputs = {"input_ids": ids, "attention_mask": mask} | ({"token_type_ids": types} if self.second_type else {})
        logits = self.model(**{name: value.to(self.device) for name, value in inputs.items()}).logits
        return logits.reshape(len(batch)).float(), ids.numel() - sum(lengths)


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
