"""Classes of the user, and those that other packages register; see `rerankers/custom.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..custom import CustomReranker, check, class_of, find, is_reference, make, plugins, source_hash
from ..errors import InputError
from ..flops import Shape
from ..options import LoadOptions
from ..spec import ModelSpec
from .foreign import ForeignFamily

if TYPE_CHECKING:
    from ..adapters.custom import CustomAdapter


class Custom(ForeignFamily):
    """A class that reads its texts by itself; only its version identifies what can change a score."""

    name = "own"
    adapter = "own/1"
    score = "what the class returns"
    reader = "a class of your own"
    unread = (*ForeignFamily.unread, "revision")

    def stated_shape(self, spec: ModelSpec) -> Shape | None:
        """See `Family.stated_shape`; what the class states, if it does so before it is made."""
        shape = getattr(find(spec.source), "shape", None)
        return shape if isinstance(shape, Shape) else None

    def spec(self, model: str, shipped: Sequence[str]) -> ModelSpec | None:
        """Return the specification of `module:Class`, or of a name that another package registered; else None.

        Raises InputError when there is no such class, and for a registered name that a `shipped` model has, too.
        """
        if is_reference(model):
            find(model)
            return ModelSpec(model.rpartition(":")[2], self.name, model)
        if model not in plugins():
            return None
        if model in shipped:
            raise InputError(
                f"model '{model}': comes with this package, and another one registers {plugins()[model]} under that "
                f"name; write `{plugins()[model]}`, or remove that package"
            )
        return ModelSpec(model, self.name, plugins()[model])

    def check_ready(self, spec: ModelSpec) -> None:
        """See `Family.check_ready`; module and class are there."""
        find(spec.source)

    def source_hash(self, spec: ModelSpec) -> str | None:
        """See `Family.source_hash`; None where the class was typed into a notebook."""
        return source_hash(spec.source)

    def take(self, model: CustomReranker, options: LoadOptions) -> CustomAdapter:
        """Return an object that is there already, on the device that it is on."""
        from ..adapters.custom import CustomAdapter

        source = class_of(model)
        where = f"{source.__module__}:{source.__qualname__}"
        check(model, where)
        if options != LoadOptions():
            raise InputError(f"{where}: is made already; leave out the options")
        name = getattr(model, "name", None) or source.__name__
        spec = ModelSpec(name, self.name, where)
        return CustomAdapter(self.adapter, spec, self.text_rules(spec), model, {})

    def open(self, spec: ModelSpec, options: LoadOptions) -> CustomAdapter:
        """See `Family.open`."""
        from ..adapters.custom import CustomAdapter
        from ..adapters.device import dtype_name, resolve_device, resolve_dtype

        self.refuse_unread(spec)
        offers = {
            "device": lambda: str(resolve_device(options.device)),
            "dtype": lambda: dtype_name(resolve_dtype(options.dtype, resolve_device(options.device))),
        }
        model, given = make(spec.source, offers)
        check(model, f"model '{spec.source}'")
        if options.dtype != "auto" and "dtype" not in given:
            raise InputError(f"model '{spec.name}': its constructor takes no dtype; leave out '{options.dtype}'")
        return CustomAdapter(self.adapter, spec, self.text_rules(spec), model, given)
