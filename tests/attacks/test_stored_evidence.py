"""Stored blocks and cells are proven when read: made again by `run`, refused by everything else, never believed."""

from __future__ import annotations

import gzip
import json
import os
import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from attack import cli, on_disk
from conftest import Trial

FLIPS = int(os.environ.get("RERANKBENCH_FLIPS", "8"))


def evidence(out: Path) -> dict[str, bytes]:
    """What must be the same bytes in every run."""
    kept = (".parquet", "run.trec.gz", "group.json")
    return {name: data for name, data in on_disk(out).items() if name.endswith(kept)}


def rewrite(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    table = pq.read_table(path)
    pq.write_table(table.from_pandas(change(table.to_pandas()), schema=table.schema, preserve_index=False), path)


def scores(table: pd.DataFrame, value: object) -> pd.DataFrame:
    return table.assign(full=np.float32(value) if not callable(value) else value(table["full"]))


BLOCKS = {
    "NaN": lambda path: rewrite(path, lambda t: scores(t, np.nan)),
    "infinity": lambda path: rewrite(path, lambda t: scores(t, np.inf)),
    "negated": lambda path: rewrite(path, lambda t: scores(t, lambda s: -s)),
    "negative tokens": lambda path: rewrite(path, lambda t: t.assign(query_tokens=np.int32(-5))),
    "rows in another order": lambda path: rewrite(path, lambda t: t.iloc[::-1]),
    "a row less": lambda path: rewrite(path, lambda t: t.iloc[1:]),
    "cut off": lambda path: path.write_bytes(path.read_bytes()[:-20]),
    "empty": lambda path: path.write_bytes(b""),
    "no parquet": lambda path: path.write_bytes(b"PAR1" + bytes(100) + b"PAR1"),
    "of another query": lambda path: path.write_bytes((path.parent / "block-00001.parquet").read_bytes()),
    "its note edited": lambda path: edit(path.with_suffix(".json"), lambda raw: raw["cost"].update(flops={"full": 1})),
    "its note without hash": lambda path: edit(path.with_suffix(".json"), lambda raw: raw.pop("scores")),
    "its note gone": lambda path: path.with_suffix(".json").unlink(),
    "its note a list": lambda path: path.with_suffix(".json").write_text("[]"),
}


def edit(path: Path, change: Callable[[dict], object]) -> None:
    raw = json.loads(path.read_text())
    change(raw)
    path.write_text(json.dumps(raw))


@pytest.mark.parametrize("name", BLOCKS)
def test_blocks(trial: Trial, name: str) -> None:
    before = evidence(trial.out)
    BLOCKS[name](trial.blocks[0])
    (trial.cell / "run.trec.gz").unlink()  # so that the cell is made from the blocks
    done = trial.run().well()
    assert done.err.count("1 blocks are damaged or edited and are scored again") == 1
    assert evidence(trial.out) == before


@pytest.mark.parametrize("change", [lambda raw: raw.update(settings=["L1"]), lambda raw: raw["base"].update(x=1)])
def test_descriptions_of_groups(trial: Trial, change: Callable[[dict], object]) -> None:
    before = evidence(trial.out)
    (group,) = trial.out.glob("scores/**/group.json")
    edit(group, change)
    (trial.cell / "manifest.json").unlink()
    trial.run().well()
    assert evidence(trial.out) == before


CELLS = {
    "a metric": lambda cell: edit(cell / "manifest.json", lambda raw: raw["metrics"].update({"nDCG@10": 1.0})),
    "FLOPs": lambda cell: edit(cell / "manifest.json", lambda raw: raw["flops"].update(reference=1)),
    "a count": lambda cell: edit(cell / "manifest.json", lambda raw: raw["counts"].update(pairs=1)),
    "the provenance": lambda cell: edit(cell / "manifest.json", lambda raw: raw["provenance"].update(device="cuda")),
    "the identity": lambda cell: edit(cell / "manifest.json", lambda raw: raw.update(identity="0" * 64)),
    "a part": lambda cell: edit(cell / "manifest.json", lambda raw: raw["identity_parts"].update(checksum="x")),
    "no proof": lambda cell: edit(cell / "manifest.json", lambda raw: [raw.pop("proof"), raw.pop("files")]),
    "half of a surrogate pair": lambda cell: edit(
        cell / "manifest.json", lambda raw: raw["identity_parts"].update({"\ud800": 1})
    ),
    "a key twice": lambda cell: (cell / "manifest.json").write_text(
        (cell / "manifest.json").read_text().replace('"model":', '"model": "other", "model":', 1)
    ),
    "the name": lambda cell: edit(cell / "manifest.json", lambda raw: raw.update(model="other")),
    "values by query": lambda cell: rewrite(cell / "per_query.parquet", lambda t: t.assign(**{"nDCG@10": 1.0})),
    "a query less": lambda cell: rewrite(cell / "per_query.parquet", lambda t: t.iloc[1:]),
    "no values": lambda cell: (cell / "per_query.parquet").unlink(),
    "the run": lambda cell: (cell / "run.trec.gz").write_bytes(gzip.compress(b"q1 Q0 d1 1 1.0 x\n")),
    "a run cut off": lambda cell: (cell / "run.trec.gz").write_bytes((cell / "run.trec.gz").read_bytes()[:-9]),
    "no run": lambda cell: (cell / "run.trec.gz").unlink(),
    "JSON cut off": lambda cell: (cell / "manifest.json").write_text((cell / "manifest.json").read_text()[:100]),
    "no manifest": lambda cell: (cell / "manifest.json").unlink(),
    "a run as a folder": lambda cell: [(cell / "run.trec.gz").unlink(), (cell / "run.trec.gz").mkdir()],
}


@pytest.mark.parametrize("name", CELLS)
def test_cells(trial: Trial, name: str) -> None:
    before = evidence(trial.out)
    CELLS[name](trial.cell)
    edited = on_disk(trial.folder)
    for arguments in (["table"], ["report", "--no-texts", "-o", trial.folder / "x.html"], ["pareto"]):
        cli(arguments[0], trial.out, *arguments[1:]).refused(str(trial.cell))
    assert on_disk(trial.folder) == edited, "a refused command wrote something"
    done = trial.run().well()
    damaged = [line for line in done.err.splitlines() if str(trial.cell) in line and ": replaced, for" not in line]
    assert len(damaged) == 1, "one warning"
    assert evidence(trial.out) == before
    cli("table", trial.out).well()


def test_a_liar_who_makes_new_hashes_is_found_by_run(trial: Trial) -> None:
    from rerankbench.eval.results import load_manifest, seal

    before = evidence(trial.out)
    rewrite(trial.cell / "per_query.parquet", lambda t: t.assign(**{"nDCG@10": 1.0}))
    manifest = load_manifest(trial.cell / "manifest.json")
    manifest = manifest.model_copy(update={"metrics": {**manifest.metrics, "nDCG@10": 1.0}})
    (trial.cell / "manifest.json").write_text(seal(trial.cell, manifest).model_dump_json())
    assert "its metrics are not those of its run" in trial.run().well().err
    assert evidence(trial.out) == before


def test_flipped_bits(trial: Trial) -> None:
    """Of files that `run` reads, one at a time; RERANKBENCH_FLIPS=300 for as many."""
    before, random_bits = evidence(trial.out), random.Random(15)
    files = [*trial.blocks, *(block.with_suffix(".json") for block in trial.blocks), *trial.cell.iterdir()]
    healed = refused = 0
    for _ in range(FLIPS):
        path = random_bits.choice(files)
        data = bytearray(path.read_bytes())
        data[random_bits.randrange(len(data))] ^= 1 << random_bits.randrange(8)
        path.write_bytes(data)
        if path.parent == trial.cell:
            cli("table", trial.out).refused(str(trial.cell))
            refused += 1
        else:
            (trial.cell / "manifest.json").unlink()  # or nobody would read the blocks
        trial.run().well()
        assert evidence(trial.out) == before, f"{path} after a flip"
        healed += 1
    print(f"{FLIPS} flips: {healed} healed by run, of which {refused} were refused by table before")
    assert healed == FLIPS
