"""Rerankers behind a server: Cohere, Jina, Voyage, OpenRouter, and one's own TEI, vLLM, infinity or llama.cpp."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from ..errors import InputError
from ..family import FamilyOptions
from ..options import LoadOptions
from ..served.options import Service, address, service_of
from ..spec import ModelSpec
from .foreign import ForeignFamily

if TYPE_CHECKING:
    from ..adapters.served import ServedAdapter


class ServedOptions(FamilyOptions):
    """How a server is called."""

    server: dict[str, Any] = Field(default={}, description="address, key, patience and pace; see served/options.py")


class Served(ForeignFamily):
    """`source` is the model's name at the server, `revision` the version that the user vouches for."""

    name = "served"
    adapter = "served/1"
    score = "what the server answers"
    reader = "a server"
    options = ServedOptions

    def check_ready(self, spec: ModelSpec) -> None:
        """See `Family.check_ready`; address and key are there."""
        address(self._service(spec), f"model '{spec.name}'")

    def open(self, spec: ModelSpec, options: LoadOptions) -> ServedAdapter:
        """See `Family.open`; no request is sent yet."""
        service = self._service(spec)
        if options.dtype != "auto":
            raise InputError(f"model '{spec.name}': a server chooses its own dtype; leave out '{options.dtype}'")
        from ..adapters.served import ServedAdapter

        return ServedAdapter(self.adapter, spec, self.text_rules(spec), service)

    def _service(self, spec: ModelSpec) -> Service:
        where = f"model '{spec.name}'"
        self.refuse_unread(spec)
        if not spec.revision:
            raise InputError(
                f"{where}: needs a `revision`, since nobody can see what a server runs: a version, a commit or a date, "
                "to be changed whenever the model behind the address is"
            )
        return service_of(self.choose(spec).server, where)
