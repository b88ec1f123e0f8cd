"""One model over all datasets of an experiment: what is missing is scored, block by block, and becomes cells."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from ...rerankers.errors import ScoreError
from ...rerankers.settings import Setting
from ..results import SCHEMA_VERSION, Cell
from .cells import Inputs, Measured, Target, data_provenance, write_cell
from .cost import PassCost, block_cost, cell_flops, cell_tokens, pair_flops
from .engine import Engine, Job, Task
from .engines import MakeEngine
from .experiment import Experiment, RerankerEntry
from .progress import Progress
from .provenance import now, threads
from .store import Block, Group, plan_blocks, plan_groups

log = logging.getLogger("rerankbench")


@dataclass
class _Pass:
    """One forward pass over a dataset: the blocks of a group, how many are still to come, and the cells they make."""

    inputs: Inputs
    task: Task
    group: Group
    blocks: list[Block]
    missing: list[Block]
    targets: dict[Setting, Target]
    left: int


class ModelRun:
    """A model, loaded, and what the experiment wants of it."""

    def __init__(
        self,
        experiment: Experiment,
        entry: RerankerEntry,
        settings: Sequence[Setting],
        inputs: Sequence[Inputs],
        out: Path,
        make_engine: MakeEngine,
        shared: dict[str, Any],
    ) -> None:
        """Loads the model. Raises InputError when it cannot be loaded or cannot run a setting."""
        self.experiment, self.entry, self.settings, self.out, self.shared = experiment, entry, settings, out, shared
        self.inputs, self.started = inputs, now()
        self.options = experiment.load_options(entry)
        texts = dict.fromkeys(entry.text_options(one.dataset.policy.prompt) for one in inputs)
        self.engine: Engine = make_engine(entry.model, self.options, list(texts), settings)
        self.face = self.engine.face
        log.info("%s: loaded on %s as %s", entry.label, self.face.device, self.face.dtype)
        for warning in dict.fromkeys(w for warnings in self.face.warnings.values() for w in warnings):
            log.warning("%s: %s", entry.label, warning)

    def run(self) -> dict[str, list[Cell]]:
        """Dataset -> its cells, in the order of the settings; a dataset's are written as soon as it is scored.

        Raises ScoreError or InputError of a block; what was scored by then is stored.
        """
        passes = [one for inputs in self.inputs for one in self._passes(inputs)]
        cells: dict[tuple[str, Setting], Cell] = {}
        for one in passes:
            if not one.left:
                cells |= self._cells(one)
        for one in self._score(passes):
            cells |= self._cells(one)
        names = [inputs.dataset.name for inputs in self.inputs]
        return {name: [cells[name, setting] for setting in self.settings] for name in names}

    def close(self) -> None:
        """Lets go of the model."""
        self.engine.close()

    def _passes(self, inputs: Inputs) -> list[_Pass]:
        dataset = inputs.dataset
        text = self.entry.text_options(dataset.policy.prompt)
        base = {"schema": SCHEMA_VERSION, "reranker": self.face.identities[text], **inputs.identity()}
        label, metrics = self.entry.label, self.experiment.metrics
        targets = {
            s: Target(self.out, self.experiment.name, label, s.name, {**base, "setting": s.name}, metrics)
            for s in self.settings
        }
        passes: list[_Pass] = []
        root = self.out / "scores" / dataset.name / label
        for group in plan_groups(root, base, self.settings, self.experiment.engine.block_queries):
            group.open()
            blocks = plan_blocks(inputs.candidates.run, group.block_queries)
            missing = [block for block in blocks if group.stored(block) is None]
            mine = {setting: targets.pop(setting) for setting in group.settings if setting in targets}
            task = Task(inputs.source, dataset, group.settings, text)
            passes.append(_Pass(inputs, task, group, blocks, missing, mine, len(missing)))
        return passes

    def _score(self, passes: Sequence[_Pass]) -> Iterator[_Pass]:
        """Executes the blocks that are not stored; yields each pass whose last block is stored now."""
        by_task = {id(one.task): one for one in passes}
        total = sum(block.pairs for one in passes for block in one.blocks)
        left = sum(block.pairs for one in passes for block in one.missing)
        names = ", ".join(dict.fromkeys(s.name for one in passes for s in one.group.settings))
        progress = Progress(f"{self.entry.label} · {names}", total, total - left)
        jobs = [Job(one.task, block) for one in passes for block in one.missing]
        for job, scored, device in self.engine.run(jobs):
            one = by_task[id(job.task)]
            one.group.write(job.block, scored, block_cost(scored, device))
            one.left -= 1
            progress.add(job.block.pairs)
            if not one.left:
                yield one
        progress.close()

    def _cells(self, one: _Pass) -> dict[tuple[str, Setting], Cell]:
        tables: list[pa.Table] = []
        for block in one.blocks:
            table = one.group.stored(block)
            if table is None:
                raise ScoreError(f"{one.group.path(block)}: was stored and is gone or damaged; run again")
            tables.append(table)
        pairs = pa.concat_tables([one.group.empty(), *tables]).to_pandas()
        cost = PassCost([one.group.cost(block) for block in one.blocks], one.group.settings)
        cells: dict[tuple[str, Setting], Cell] = {}
        for setting, target in one.targets.items():
            done = target.existing(one.inputs)
            cells[one.inputs.dataset.name, setting] = done or self._cell(target, one.inputs, setting, pairs, cost)
        return cells

    def _cell(self, target: Target, inputs: Inputs, setting: Setting, pairs: pd.DataFrame, cost: PassCost) -> Cell:
        face = self.face
        reference = pair_flops(face, setting, pairs)
        rows = pairs[["query_id", "doc_id", "truncated"]].assign(
            score=pairs[setting.name],
            tokens=pairs["query_tokens"] + pairs["passage_tokens"] + pairs["prompt_tokens"],
        )
        if reference is not None:
            rows["flops_reference"] = reference
        measured = Measured(
            rows,
            flops=cell_flops(face, setting, pairs, reference, cost.total("flops")),
            tokens=cell_tokens(pairs, cost),
            cost=cost.summary(len(pairs), self.engine),
            warnings=face.warnings[setting],
        )
        spec, usage = face.spec, self.engine.usage()
        provenance = {
            **self.shared,
            **data_provenance(self.out, inputs),
            "model": {"name": spec.name, "family": spec.family, "source": spec.source, "revision": spec.revision},
            "options": vars(self.options),
            "device": face.device,
            "device_name": face.device_name,
            "threads": threads(),
            "dtype": face.dtype,
            **({"engine": usage} if usage else {}),
            "started": self.started,
            "finished": now(),
        }
        return write_cell(target, inputs, measured, provenance)
