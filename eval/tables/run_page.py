"""README.md of a run's folder: what was measured, and what to do with the folder."""

from __future__ import annotations

from collections.abc import Sequence

from ..results import Cell
from ..text.sanitize import clean

_TEXT = """# {experiment}

Made by rerankbench: {metric} x 100. Every figure comes from a cell in `cells/`, with its manifest, its ranking and its
values by query.

{table}
| to | command |
|---|---|
| see it in another format or metric | `rerankbench table DIR --format latex --metric RR@10` |
| know which differences are real | `rerankbench compare 'DIR#@first-stage' 'DIR#MODEL'` |
| get one page to share | `rerankbench report DIR -o report.html` |
| give it to other tools | `rerankbench export DIR --format trec` (or `mteb`, `model-index`) |
| guard it in CI | `rerankbench accept --run DIR --baseline baseline.json --reason start` |
| resume a run that stopped | the command of the run again |

`candidates/` holds the first stages, `scores/` the stored scores, from which a killed run resumes and which `depth` and
`cascade` read; `scores/` may be deleted when none of that is needed.
"""


def run_page(cells: Sequence[Cell], metric: str) -> str:
    """The page. It holds no time and no path, so that the same results give the same bytes."""
    from . import render

    table = render(cells, metric=metric, format="md")
    return clean(_TEXT.format(experiment=cells[0].manifest.experiment, metric=metric, table=table))
