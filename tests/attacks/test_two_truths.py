"""Scores and cells of a folder say the same, of the model that they name, and the folder says what it lacks."""

from __future__ import annotations

import gzip
import json
import shutil
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from attack import cli, on_disk
from beir_folder import write_beir
from rerankbench.eval.results import digest, load_cells, load_manifest, seal

MODELS = """
import os
import zlib


class Hash:
    version = "1"

    def predict(self, pairs):
        with open("scored", "a") as log:
            log.write("x" * len(pairs))
        return [zlib.crc32("\\0".join(pair).encode()) / 2**32 for pair in pairs]


class Other(Hash):
    version = "2"

    def predict(self, pairs):
        return [-score for score in super().predict(pairs)]


class Dice(Hash):
    version = "3"

    def predict(self, pairs):
        return [float.fromhex("0x" + os.urandom(4).hex()) for _ in super().predict(pairs)]
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "their_models.py").write_text(MODELS)
    for name in ("one", "two"):
        write_beir(tmp_path / name)
    return tmp_path


def write(*classes: str, names: list[str] | None = None, datasets: tuple[str, ...] = ("one",)) -> None:
    models = [{"model": f"their_models:{c}", "name": n} for c, n in zip(classes, names or list(classes))]
    body = {"name": "e", "datasets": list(datasets), "rerankers": models, "engine": {"block_queries": 1}}
    Path("e.yaml").write_text(json.dumps(body))


def run() -> Any:
    Path("scored").write_text("")
    return cli("run", "e.yaml", "--out", "o").well()


def folder(model: str) -> Path:
    return next(Path("o/scores/one", model).iterdir())


def test_blocks_of_another_model_are_scored_again(study: Path) -> None:
    write("Hash", "Other")
    right = run().out
    blocks = sorted(folder("Hash").glob("block-*"))
    for file in blocks:
        shutil.copy(file, folder("Other") / file.name)
    shutil.rmtree("o/cells")
    done = run()
    assert done.out == right
    assert f"{len(blocks) // 2} blocks are damaged or edited and are scored again" in done.err


def test_blocks_of_another_setting_or_collection_are_scored_again(study: Path) -> None:
    write("Hash", datasets=("one", "two"))
    (study / "two/queries.jsonl").write_text((study / "two/queries.jsonl").read_text().replace("tea", "hot tea"))
    right = run().out
    for file in folder("Hash").glob("block-*"):
        shutil.copy(file, next(Path("o/scores/two/Hash").iterdir()) / file.name)
    shutil.rmtree("o/cells")
    assert run().out == right


def test_a_cell_is_made_anew_when_its_blocks_were(study: Path) -> None:
    write("Dice")
    run()
    first = min(folder("Dice").glob("block-*.parquet"))
    first.unlink()
    assert run().err.count("made again") == 1
    assert Path("scored").stat().st_size > 0
    cell = next(cell for cell in load_cells([Path("o")]) if cell.manifest.model == "Dice")
    stored = pa.concat_tables(pq.read_table(path) for path in sorted(folder("Dice").glob("block-*.parquet")))
    for row in stored.to_pylist():
        assert np.float32(cell.run()[row["query_id"]][row["doc_id"]]) == np.float32(row["full"])
    cli("depth", "o").well()
    again = run()
    assert again.err.count("made again") == 0
    assert Path("scored").stat().st_size == 0


def test_scores_that_a_cell_was_not_made_from_are_refused(study: Path) -> None:
    """A run that was killed between the two."""
    write("Dice")
    run()
    cells = on_disk(Path("o/cells"))
    shutil.rmtree("o/scores")
    run()
    for name, content in cells.items():
        (Path("o/cells") / name).write_bytes(content)
    cli("table", "o").well()
    cli("depth", "o").refused("Dice", "its ranking is not that of the scores")
    run()
    cli("depth", "o").well()


def make_old(out: Path) -> None:
    """The folder as a release wrote it that had manifests of version 2, and notes that name no group."""
    for path in out.glob("cells/**/manifest.json"):
        manifest = load_manifest(path)
        common = json.loads((out / "contexts" / f"{manifest.context}.json").read_text())
        changes = {"context": None, "blocks": None, "schema_version": 2}
        old = manifest.model_copy(update={**changes, "provenance": {**manifest.provenance, **common}})
        path.write_text(seal(path.parent, old).model_dump_json(indent=1))
    for path in out.glob("scores/**/block-*.json"):
        note = {key: value for key, value in json.loads(path.read_text()).items() if key in ("cost", "scores")}
        path.write_text(json.dumps({**note, "proof": digest(note)}))
    shutil.rmtree(out / "contexts")
    (out / "expected.json").unlink()


def test_a_run_of_an_older_release_is_found_finished_and_bound(study: Path) -> None:
    write("Hash", "Dice")
    right = run().out
    make_old(Path("o"))
    cells = on_disk(Path("o/cells"))
    cli("table", "o").well()
    cli("depth", "o").well()
    assert run().out == right
    assert Path("scored").stat().st_size == 0
    assert on_disk(Path("o/cells")) == cells
    notes = [json.loads(path.read_text()) for path in Path("o").glob("scores/**/block-*.json")]
    assert all("group" in note for note in notes)
    for file in folder("Hash").glob("block-*"):
        shutil.copy(file, folder("Dice") / file.name)
    run()
    assert Path("scored").stat().st_size > 0


def test_blocks_of_an_older_release_that_are_not_those_of_the_cell_are_scored_again(study: Path) -> None:
    write("Hash", "Other")
    right = run().out
    make_old(Path("o"))
    for file in folder("Hash").glob("block-*"):
        shutil.copy(file, folder("Other") / file.name)
    cli("depth", "o").refused("Other", "its ranking is not that of the scores")
    assert run().out == right


def test_a_context_that_was_edited_or_lost_is_noticed(study: Path) -> None:
    write("Hash")
    right = run().out
    (context,) = Path("o/contexts").iterdir()
    content = context.read_text()
    context.write_text(content.replace('"e"', '"f"'))
    cli("report", "o", "--no-texts", "-o", "x.html").refused(str(context))
    context.unlink()
    cli("report", "o", "--no-texts", "-o", "x.html").refused(str(context))
    assert not Path("x.html").exists()
    assert run().out == right
    assert context.read_text() == content or len(list(Path("o/contexts").iterdir())) == 1
    cli("report", "o", "--no-texts", "-o", "x.html").well()


def test_manifests_do_not_grow_with_the_experiment(study: Path) -> None:
    sizes = []
    for count in (1, 12):
        write(*["Hash"] * count, names=[f"m{i}" for i in range(count)])
        run()
        sizes.append(Path("o/cells/one/m0/full/manifest.json").stat().st_size)
        shutil.rmtree("o")
    assert sizes[1] < sizes[0] + 20


def test_a_comparison_reads_the_two_and_no_more(study: Path) -> None:
    write("Hash", "Other", "Dice")
    run()
    (Path("o/cells/one/Dice/full") / "per_query.parquet").write_bytes(b"damaged")
    cli("compare", "o#Hash", "o#Other").well()
    cli("compare", "o#Hash", "o#Dice").refused("Dice")
    cli("table", "o").refused("Dice")


READERS = {
    "table": ["table", "o"],
    "report": ["report", "o", "--no-texts", "-o", "x.html"],
    "leaderboard": ["leaderboard", "o", "-o", "x.html"],
    "pareto": ["pareto", "o"],
    "compare": ["compare", "o#Hash", "o#Other"],
    "depth": ["depth", "o"],
    "export": ["export", "o", "--format", "trec", "--output", "x"],
    "accept": ["accept", "--run", "o", "--baseline", "b.json", "--reason", "x"],
    "price": ["price", "o"],
    "push": ["push", "o", "me/results"],
}


@pytest.mark.parametrize(
    ("reader", "lost", "old"),
    [
        *((reader, "two", False) for reader in READERS),
        ("table", "one/Other/full", False),
        ("compare", "one/Other/full", False),
        ("table", "two", True),
        ("table", "one/Other/full", True),
    ],
)
def test_what_is_missing_is_told_by_every_reader(study: Path, reader: str, lost: str, old: bool) -> None:
    write("Hash", "Other", datasets=("one", "two"))
    run()
    if old:
        make_old(Path("o"))
    quiet = cli(*READERS[reader])
    assert "is not complete" not in quiet.err
    for output in ("x", "x.html", "b.json"):
        shutil.rmtree(output, ignore_errors=True)
    shutil.rmtree(Path("o/cells") / lost)
    if reader == "compare" and lost == "one/Other/full":
        shutil.rmtree("o/cells/one/Hash/full")
    told = cli(*READERS[reader])
    assert "o: is not complete: it lacks" in told.err
    assert ("the dataset two" if lost == "two" else "one: Other full") in told.err


def test_a_smaller_experiment_lacks_nothing(study: Path) -> None:
    write("Hash", "Other", datasets=("one", "two"))
    run()
    write("Hash")
    assert "is not complete" not in run().err
    assert "is not complete" not in cli("table", "o").well().err


def seal_again(cell: Path) -> None:
    """What a liar does who knows the format."""
    manifest = load_manifest(cell / "manifest.json")
    (cell / "manifest.json").write_text(seal(cell, manifest).model_dump_json())


def test_rows_that_no_cell_has_are_not_unpacked(study: Path) -> None:
    """Sixty million rows of one value are a few hundred kilobytes."""
    write("Hash")
    run()
    cell = Path("o/cells/one/Hash/full")
    rows = pa.table({"query_id": pa.repeat(0.5, 1_000_000)})
    with pq.ParquetWriter(cell / "per_query.parquet", rows.schema) as many:
        for _ in range(60):
            many.write_table(rows)
    assert (cell / "per_query.parquet").stat().st_size < 1 << 20
    seal_again(cell)
    start = time.process_time()
    cli("table", "o").refused(str(cell), "60,000,000 rows")
    assert time.process_time() - start < 3
    run()
    cli("table", "o").well()


def test_a_line_that_no_run_has_is_not_unpacked(study: Path) -> None:
    write("Hash")
    run()
    cell = Path("o/cells/one/Hash/full")
    (cell / "run.trec.gz").write_bytes(gzip.compress(b"x" * (64 << 20)))
    seal_again(cell)
    cli("compare", "o#bm25", "o#Hash", "--worst", "3").refused(str(cell), "a line has more bytes")
    run()
    cli("table", "o").well()
