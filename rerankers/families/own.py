"""Classes of the user, and those that other packages register; see `own.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import InputError
from ..family import Family
from ..flops import Shape
from ..options import LoadOptions, ResolvedText, TextOptions
from ..own import OwnReranker, check, class_of, find, is_reference, make, plugins
from ..spec import ModelSpec
from ..st_folder import StFolder

if TYPE_CHECKING:
    from ..adapters.own_adapter import OwnAdapter

_NEVER_CUT = 1 << 30  # tokens


class Own(Family):
    """A class that reads its texts by itself; only its version tells what can change a score."""

    name = "own"
    adapter = "own/1"
    score = "what the class returns"

    def claims(self, raw: Mapping[str, Any], saved: StFolder) -> bool:
        """See `Family.claims`; no folder is one."""
        return False

    def shape(self, raw: Mapping[str, Any], where: str = "config.json") -> None:
        """See `Family.shape`; what the object states is known once it is made."""
        return

    def stated_shape(self, spec: ModelSpec) -> Shape | None:
        """See `Family.stated_shape`; what the class states, if it does so before it is made."""
        shape = getattr(find(spec.source), "shape", None)
        return shape if isinstance(shape, Shape) else None

    def resolve(self, spec: ModelSpec, text: TextOptions) -> ResolvedText:
        """See `Family.resolve`; there is nothing to choose."""
        self.refuse_prompt(spec, text)
        for name in ("max_length", "query_max_length"):
            if getattr(text, name) is not None:
                raise InputError(f"model '{spec.name}': a class of your own cuts its texts itself; leave out {name}")
        if text.truncation != TextOptions.truncation:
            raise InputError(f"model '{spec.name}': a class of your own cuts its texts itself; leave out truncation")
        return ResolvedText("", _NEVER_CUT, _NEVER_CUT, text.truncation)

    def spec(self, model: str, shipped: Sequence[str]) -> ModelSpec | None:
        """The specification of `module:Class`, or of a name that another package registered; None for anything else.

        Raises InputError when there is no such class, and for a registered name that a `shipped` model has, too.
        """
        if is_reference(model):
            find(model)
            return ModelSpec(model.rpartition(":")[2], self.name, model, download_bytes=0)
        if model not in plugins():
            return None
        if model in shipped:
            raise InputError(
                f"model '{model}': comes with this package, and another one registers {plugins()[model]} under that "
                f"name; write `{plugins()[model]}`, or remove that package"
            )
        return ModelSpec(model, self.name, plugins()[model], download_bytes=0)

    def take(self, model: OwnReranker, options: LoadOptions) -> OwnAdapter:
        """An object that is there already, on the device that it is on."""
        from ..adapters.own_adapter import OwnAdapter

        source = class_of(model)
        where = f"{source.__module__}:{source.__qualname__}"
        check(model, where)
        if options != LoadOptions():
            raise InputError(f"{where}: is made already; leave out the options")
        name = getattr(model, "name", None) or source.__name__
        return OwnAdapter(self, ModelSpec(name, self.name, where, download_bytes=0), model, {})

    def open(self, spec: ModelSpec, options: LoadOptions) -> OwnAdapter:
        """See `Family.open`."""
        from ..adapters.own_adapter import OwnAdapter
        from ..device import dtype_name, resolve_device, resolve_dtype

        offers = {
            "device": lambda: str(resolve_device(options.device)),
            "dtype": lambda: dtype_name(resolve_dtype(options.dtype, resolve_device(options.device))),
        }
        model, given = make(spec.source, offers)
        check(model, f"model '{spec.source}'")
        if options.dtype != "auto" and "dtype" not in given:
            raise InputError(f"model '{spec.name}': its constructor takes no dtype; leave out '{options.dtype}'")
        return OwnAdapter(self, spec, model, given)
