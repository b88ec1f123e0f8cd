"""Results that are tables, too: `to_frame()` for pandas, HTML in notebooks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    import pandas as pd

_MOST_ROWS = 60  # in a notebook


class Tabular:
    """What has `COLUMNS` and `records()`."""

    COLUMNS: ClassVar[tuple[str, ...]] = ()

    def records(self) -> Iterable[Sequence[Any]]:
        """Return the rows of the frame, None for what is not known."""
        raise NotImplementedError

    def to_frame(self) -> pd.DataFrame:
        """Return a tidy frame with the columns `COLUMNS`."""
        import pandas as pd

        return pd.DataFrame([tuple(row) for row in self.records()], columns=list(self.COLUMNS))

    def _repr_html_(self) -> str:
        return self.to_frame().to_html(index=False, max_rows=_MOST_ROWS, float_format="{:.6g}".format, na_rep="")
