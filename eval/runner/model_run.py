"""One model over all datasets of an experiment: what is missing is scored, block by block, and becomes cells."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ...rerankers.errors import ScoreError
from ...rerankers.registry import family_of
from ...rerankers.settings import Setting
from ...rerankers.spec import ModelSpec
from ..experiment.schema import Experiment, RerankerEntry
from ..hardware.energy import meter
from ..results import Cell
from ..results.store import Block, PassScores
from .cell_writer import CellWriter, Measured
from .cells import Target, data_provenance, existing_cells, targets
from .cost import PassCost, Tally, block_cost
from .engine import Engine, Job, ScoringTask
from .engines import MakeEngine
from .inputs import Inputs
from .origin import Origin, plan_origins
from .progress import Progress
from .provenance import now, threads

log = logging.getLogger("rerankbench")


@dataclass
class _Pass:
    """One forward pass over a dataset: its blocks, those still to be scored, and the cells they make.

    `missing` are the blocks that were not stored at first; `left` counts down as they are stored.
    """

    inputs: Inputs
    task: ScoringTask
    origin: Origin
    missing: list[Block]
    targets: dict[Setting, Target]
    left: int

    @property
    def group(self) -> PassScores:
        """Where the scores are stored."""
        return self.origin.group

    @property
    def blocks(self) -> Sequence[Block]:
        """All of them."""
        return self.origin.blocks


class ModelRun:
    """Scores one entry of an experiment on all datasets, and writes its cells."""

    def __init__(
        self,
        experiment: Experiment,
        entry: RerankerEntry,
        spec: ModelSpec,
        settings: Sequence[Setting],
        inputs: Sequence[Inputs],
        out: Path,
        make_engine: MakeEngine,
        shared: dict[str, Any],
    ) -> None:
        """Load the model. Raises InputError when it cannot be loaded or cannot run a setting."""
        self.experiment, self.entry, self.settings, self.out, self.shared = experiment, entry, settings, out, shared
        self.inputs, self.started = inputs, now()
        self.source_hash = family_of(spec).source_hash(spec) if spec.family else None
        self.options = experiment.load_options(entry)
        texts = dict.fromkeys(entry.text_options(of.dataset.policy.task) for of in inputs)
        self._warned_of_edited_source = False
        self.engine: Engine = make_engine(spec, self.options, list(texts), settings)
        self.loaded = self.engine.loaded
        log.info("%s: loaded on %s as %s", entry.label, self.loaded.device, self.loaded.dtype)
        for warning in dict.fromkeys(w for warnings in self.loaded.warnings.values() for w in warnings):
            log.warning("%s: %s", entry.label, warning)

    def run(self) -> dict[str, list[Cell]]:
        """Return dataset -> its cells, in the order of the settings; a dataset's are written as soon as it is scored.

        Raises ScoreError or InputError of a block; what was scored by then is stored.
        """
        passes = [pass_ for inputs in self.inputs for pass_ in self._plan_passes(inputs)]
        cells: dict[tuple[str, Setting], Cell] = {}
        for pass_ in passes:
            if not pass_.left:
                cells |= self._write_cells(pass_)
        for pass_ in self._score(passes):
            cells |= self._write_cells(pass_)
        names = [inputs.dataset.name for inputs in self.inputs]
        return {name: [cells[name, setting] for setting in self.settings] for name in names}

    def close(self) -> None:
        """Let go of the model."""
        self.engine.close()

    def _plan_passes(self, inputs: Inputs) -> list[_Pass]:
        dataset = inputs.dataset
        text = self.entry.text_options(dataset.policy.task)
        identity = self.loaded.identities[text]
        wanted = targets(self.out, self.experiment, self.entry, self.settings, inputs, identity)
        passes: list[_Pass] = []
        for origin in plan_origins(self.experiment, self.entry, self.settings, inputs, self.out, identity):
            group = origin.group
            group.open()
            mine = {setting: wanted.pop(setting) for setting in group.settings if setting in wanted}
            missing = origin.missing(partial(existing_cells, mine, inputs, origin))
            if damaged := sum(group.path(block).exists() for block in missing):
                log.warning("%s: %d blocks are damaged or edited and are scored again", group.folder, damaged)
            task = ScoringTask(inputs.source, dataset, group.settings, text)
            passes.append(_Pass(inputs, task, origin, missing, mine, len(missing)))
        return passes

    def _score(self, passes: Sequence[_Pass]) -> Iterator[_Pass]:
        """Execute the blocks that are not stored; yields each pass whose last block is stored now."""
        by_task = {pass_.task: pass_ for pass_ in passes}
        total = sum(block.pairs for pass_ in passes for block in pass_.blocks)
        left = sum(block.pairs for pass_ in passes for block in pass_.missing)
        names = ", ".join(dict.fromkeys(s.name for pass_ in passes for s in pass_.group.settings))
        progress = Progress(f"{self.entry.label} · {names}", total, total - left)
        jobs = [Job(pass_.task, block) for pass_ in passes for block in pass_.missing]
        read_joules = meter(self.loaded.device) if self.experiment.engine.name == "local" else None
        joules = read_joules() if read_joules else 0.0
        try:
            for job, scored, device in self.engine.run(jobs, progress.inside):
                pass_ = by_task[job.task]
                joules_before, joules = joules, read_joules() if read_joules else 0.0
                used = joules - joules_before if read_joules else None
                pass_.group.write(job.block, scored, block_cost(scored, device, used))
                pass_.left -= 1
                progress.add(job.block.pairs)
                if not pass_.left:
                    yield pass_
        finally:
            progress.close()

    def _write_cells(self, pass_: _Pass) -> dict[tuple[str, Setting], Cell]:
        """Return the cells of a pass; write those that are not there, from the stored blocks, one after the other."""
        name = pass_.inputs.dataset.name
        existing = existing_cells(pass_.targets, pass_.inputs, pass_.origin)
        cells = {(name, setting): cell for setting, cell in existing.items() if cell is not None}
        self._warn_of_edited(list(cells.values()))
        targets = {setting: target for setting, target in pass_.targets.items() if (name, setting) not in cells}
        if not targets:
            return cells
        with ExitStack() as opened:
            writers = {s: opened.enter_context(CellWriter(target, pass_.inputs)) for s, target in targets.items()}
            tallies = {setting: Tally(self.loaded, setting) for setting in writers}
            for block in pass_.blocks:
                table = pass_.group.stored(block)
                if table is None:
                    raise ScoreError(f"{pass_.group.path(block)}: was stored and is gone or damaged; run again")
                pairs = table.to_pandas()
                for setting, writer in writers.items():
                    flops = tallies[setting].add(pairs)
                    writer.add(_select_rows(pairs, setting, flops))
            fingerprint = pass_.group.fingerprint(pass_.blocks)
            cost = PassCost([pass_.group.cost(block) for block in pass_.blocks], pass_.group.settings)
            for setting, writer in writers.items():
                measured = self._measure(setting, tallies[setting], cost)
                cell = writer.finish(measured, self._describe_provenance(pass_.inputs), self.shared, fingerprint)
                writer.target.remember(cell, pass_.inputs, pass_.origin)
                cells[name, setting] = cell
        pass_.origin.remember()
        return cells

    def _warn_of_edited(self, cells: Sequence[Cell]) -> None:
        """Warn once where stored results are of an own class whose file has changed since while its version has not."""
        before = {(cell.provenance.get("model") or {}).get("source_hash") for cell in cells} - {None}
        if self.source_hash and before - {self.source_hash} and not self._warned_of_edited_source:
            self._warned_of_edited_source = True
            log.warning(
                "%s: its file changed since its stored results were made, and its version did not: they are reused; "
                "raise the version if a score can differ",
                self.entry.label,
            )

    def _measure(self, setting: Setting, tally: Tally, cost: PassCost) -> Measured:
        return Measured(
            flops=tally.flops(cost.total("flops")),
            tokens=tally.tokens(cost),
            cost=cost.summary(tally.pairs, self.engine),
            warnings=self.loaded.warnings[setting],
        )

    def _describe_provenance(self, inputs: Inputs) -> dict[str, Any]:
        loaded, spec, usage = self.loaded, self.loaded.spec, self.engine.usage()
        return {
            **data_provenance(self.out, inputs),
            "model": {
                key: getattr(spec, key)
                for key in ("name", "family", "source", "revision", "parameters", "license", "trained_on")
            }
            | ({"source_hash": self.source_hash} if self.source_hash else {}),
            "options": {**vars(self.options), **self.loaded.spec.options},
            "device": loaded.device,
            "device_name": loaded.device_name,
            "threads": threads(),
            "dtype": loaded.dtype,
            "shape": loaded.shape.as_json() if loaded.shape else None,
            **({"engine": usage} if usage else {}),
            "started": self.started,
            "finished": now(),
        }


def _select_rows(pairs: pd.DataFrame, setting: Setting, reference: np.ndarray | None) -> pd.DataFrame:
    """Return the columns of a cell for one setting: ids, score, tokens, truncation, and reference FLOPs if counted."""
    tokens = pairs["query_tokens"] + pairs["passage_tokens"] + pairs["prompt_tokens"]
    rows = pairs[["query_id", "doc_id", "truncated"]].assign(score=pairs[setting.name], tokens=tokens)
    if not tokens.any():  # the adapter counts none
        rows = rows.assign(tokens=pd.NA, truncated=pd.NA)
    return rows if reference is None else rows.assign(flops_reference=reference)
