"""Texts to vectors, by sentence-transformers."""

from __future__ import annotations

import importlib
import inspect
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from ...rerankers.checkpoint.hub import is_local, resolve
from ...rerankers.errors import InputError, one_line
from .retriever import RetrieverSpec

log = logging.getLogger("rerankbench")

_POOLING = {"cls": "cls", "mean": "mean", "last": "lasttoken"}


class Encoder(Protocol):
    """Turns texts into vectors. A parallel one also states for how many `workers` it wants blocks at once."""

    dimensions: int

    def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
        """Return float32, shape (texts, dimensions), rows in the order of `texts`."""
        ...


def compute_dtype(spec: RetrieverSpec, device: str) -> str:
    """Return the dtype that `auto` means on a device."""
    if spec.dtype != "auto":
        return spec.dtype
    return "float16" if device.startswith("cuda") else "float32"


def resolve_device(device: str) -> str:
    """Return the device; `auto` is CUDA if there is one, else the CPU."""
    if device != "auto":
        return device
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def weights_identity(spec: RetrieverSpec) -> dict[str, str]:
    """Return which weights: hub id and commit where the specification pins one, else what is found there."""
    if spec.revision is not None and not is_local(spec.source):
        return {"source": spec.source, "revision": spec.revision}
    return resolve(spec.source).identity


class SentenceEncoder:
    """A model of the specification on a device, its pooling taken from there and not from the model's files."""

    def __init__(self, spec: RetrieverSpec, device: str) -> None:
        """Raise InputError when the extra is not installed, the model is not found or does not fit."""
        try:
            from sentence_transformers import SentenceTransformer

            parts = _import_modules()
        except ImportError as err:
            raise InputError(
                f"retriever '{spec.name}' needs sentence-transformers: pip install \"rerankbench[dense]\""
            ) from err
        folder = resolve(spec.source, spec.revision).folder
        dtype = compute_dtype(spec, device)
        try:
            words = parts.Transformer(
                str(folder), max_seq_length=spec.passage_max_length, **_name_arguments(parts.Transformer, dtype, spec)
            )
        except (OSError, ValueError, KeyError) as err:
            raise InputError(f"{folder}: cannot be loaded as a text encoder: {one_line(err)}") from err
        size = int(words.auto_model.config.hidden_size)
        pooling = parts.Pooling(size, pooling_mode=_POOLING[spec.pooling])
        modules = [words, pooling, *([parts.Normalize()] if spec.normalise else [])]
        self._model = SentenceTransformer(modules=modules, device=device)
        self._spec, self.dimensions = spec, size
        _check_specials(self._model.tokenizer, spec, folder)
        log.info("%s: loaded on %s as %s", spec.name, device, dtype)

    def encode(self, texts: Sequence[str], *, queries: bool) -> np.ndarray:
        """See `Encoder.encode`. Batches are made by length, so that little is padded."""
        self._model.max_seq_length = self._spec.query_max_length if queries else self._spec.passage_max_length
        vectors = self._model.encode(
            list(texts), batch_size=self._spec.batch_size, show_progress_bar=False, convert_to_numpy=True
        )
        result = np.asarray(vectors, dtype=np.float32)
        if not np.isfinite(result).all():
            row = int(np.flatnonzero(~np.isfinite(result).all(axis=1))[0])
            raise InputError(
                f"retriever '{self._spec.name}': the vector of {texts[row][:60]!r} is not finite; set dtype: float32"
            )
        return result


class LastEncoder:
    """Makes encoders and keeps the last one, so that a retriever is loaded once for all datasets."""

    def __init__(self) -> None:
        self._key: tuple[RetrieverSpec, str] | None = None
        self._encoder: Encoder | None = None

    def __call__(self, spec: RetrieverSpec, device: str) -> Encoder:
        """Return the encoder of a specification on a device."""
        if self._encoder is None or self._key != (spec, device):
            self._encoder = None  # its memory, before the next one needs some
            self._key, self._encoder = (spec, device), SentenceEncoder(spec, device)
        return self._encoder


def _import_modules() -> Any:
    """Return the module with Transformer, Pooling and Normalize: `models` up to release 5.3, whose name warns since."""
    try:
        return importlib.import_module("sentence_transformers.sentence_transformer.modules")
    except ImportError:
        return importlib.import_module("sentence_transformers.models")


def _name_arguments(transformer: Any, dtype: str, spec: RetrieverSpec) -> dict[str, Any]:
    """Return the keywords, which sentence-transformers renamed in release 5."""
    import torch

    accepted = inspect.signature(transformer.__init__).parameters
    model = "model_kwargs" if "model_kwargs" in accepted else "model_args"
    words = "processor_kwargs" if "processor_kwargs" in accepted else "tokenizer_args"
    specials = spec.tokenizer.model_dump() if spec.tokenizer else {}
    return {model: {"torch_dtype": getattr(torch, dtype)}, **({words: specials} if specials else {})}


def _check_specials(tokenizer: Any, spec: RetrieverSpec, folder: Path) -> None:
    """Check what the tokenizer puts around a text, against the specification and what its pooling reads."""
    ids = tokenizer("a")["input_ids"]
    adds = {"add_bos_token": ids[0] == tokenizer.bos_token_id, "add_eos_token": ids[-1] == tokenizer.eos_token_id}
    if spec.tokenizer and adds != spec.tokenizer.model_dump():
        values = ", ".join(f"{key}: {str(value).lower()}" for key, value in adds.items())
        raise InputError(
            f"{folder}: retriever '{spec.name}' needs other special tokens than this tokenizer can be made to add "
            f"({values}); change its post_processor in tokenizer.json, or the retriever's `tokenizer`"
        )
    if spec.pooling == "last" and not adds["add_eos_token"]:
        raise InputError(
            f"{folder}: pooling 'last' reads the end-of-text token, which this tokenizer does not add; "
            "write `tokenizer: {add_bos_token: true, add_eos_token: true}` into the retriever's file "
            "(add_bos_token as the model was trained)"
        )
