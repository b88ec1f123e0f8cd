"""Cross-encoders: XLM-RoBERTa and BERT sequence classifiers with one output (bge-reranker-base, -large, -v2-m3)."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from ..device import resolve_device, resolve_dtype
from ..errors import InputError
from ..hub import Resolved
from ..models.config import EncoderConfig, read_config
from ..models.encoder import Encoder
from ..models.packed import Packed
from ..models.work import Work
from ..options import LoadOptions
from ..pairs import Pairs, check_types
from ..settings import Setting
from ..spec import ModelSpec
from .pair_family import PairFamily


class CrossEncoder(PairFamily):
    """A sequence classifier that reads query and passage together; only the full depth has a head."""

    adapter = "cross-encoder/1"

    def __init__(self, spec: ModelSpec, files: Resolved, options: LoadOptions) -> None:
        where = str(files.folder / "config.json")
        config = read_config(files.config, where)
        if not isinstance(config, EncoderConfig) or config.labels != 1:
            raise InputError(f"{where}: family cross-encoder needs a BERT or XLM-RoBERTa classifier with one output")
        device = resolve_device(options.device)
        dtype = resolve_dtype(options.dtype, device)
        super().__init__(spec, files, options, config, device, dtype)
        if files.saved.modules or files.saved.task not in ("feature-extraction", "sequence-classification"):
            raise InputError(f"{files.root}: modules of sentence-transformers; use family sequence-classification")
        self.hold(config.positions, config.vocab)
        check_types(self.tokenizer, self.tokenizer.pair_template(), config.token_types)
        self.encoder = Encoder.load(files.folder, config, dtype, device)
        self.encoder.pack()

    def check(self, setting: Setting) -> list[str]:
        """See `api.Reranker.check`."""
        if setting.compress_layers:
            raise InputError(f"setting '{setting.name}': model '{self.spec.name}' cannot compress tokens")
        layers = self.encoder.config.layers
        if setting.cutoff_layer not in (None, layers):
            raise InputError(
                f"setting '{setting.name}': model '{self.spec.name}' has a head behind layer {layers} only"
            )
        return []

    def logits(self, pairs: Pairs, batch: Sequence[int], work: Work) -> tuple[torch.Tensor, int]:
        """See `PairFamily.logits`; nothing is padded."""
        types = [pairs.types(i) for i in batch] if self.tokenizer.has_types else None
        packed = Packed.of([pairs.ids[i] for i in batch], types, self.encoder.device)
        return self.encoder.scores(packed, work)[:, 0], 0
