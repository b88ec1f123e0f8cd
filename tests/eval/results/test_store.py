from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from rerankbench.eval.locks import folder_lock
from rerankbench.eval.results.store import Block, PassScores, plan_blocks, plan_groups
from rerankbench.rerankers.api import Executed, Scored
from rerankbench.rerankers.errors import InputError, ScoreError
from rerankbench.rerankers.settings import Setting

BASE = {"reranker": {"model": "m"}, "candidates": "abc"}
L1, L2, FULL, COMPRESSED = Setting(1), Setting(2), Setting(), Setting(2, 2, (1,))
CANDIDATES = {f"q{i:02d}": [(f"d{j}", 1.0) for j in range(i % 3 + 1)] for i in reversed(range(10))}


def scored(block: Block, settings: int, start: float = 0.0) -> Scored:
    n = block.pairs
    values = np.arange(settings * n, dtype=np.float32).reshape(settings, n) / 7 + start
    ints = np.arange(n, dtype=np.int32)
    return Scored(values, ints, ints + 1, ints * 0, ints % 2 == 0, Executed(seconds={"forward": 1.0}))


def cost() -> dict:
    return {"flops": 5, "seconds": {"forward": 1.0}}


def stored_group(root: Path, settings: list[Setting]) -> PassScores:
    (group,) = plan_groups(root, BASE, settings, 4)
    group.open()
    for block in plan_blocks(CANDIDATES, 4):
        group.write(block, scored(block, len(group.settings)), cost())
    return group


def test_blocks_are_consecutive_queries_by_id():
    blocks = plan_blocks(CANDIDATES, 4)
    assert [[query for query, _ in block.candidates] for block in blocks] == [
        ["q00", "q01", "q02", "q03"], ["q04", "q05", "q06", "q07"], ["q08", "q09"],
    ]  # fmt: skip
    assert sum(block.pairs for block in blocks) == sum(map(len, CANDIDATES.values()))


def test_what_is_written_is_read(tmp_path: Path):
    group = stored_group(tmp_path, [L2, L1])
    assert group.settings == (L1, L2)
    block = plan_blocks(CANDIDATES, 4)[1]
    table = group.stored(block)
    assert table is not None
    assert table.column_names[:4] == ["query_id", "doc_id", "L1", "L2"]
    np.testing.assert_array_equal(table["L2"].to_numpy(), scored(block, 2).scores[1])
    found = group.cost(block)
    assert found is not None
    assert found["flops"] == 5
    assert found["seconds"]["store"] >= 0


def test_bytes_depend_on_the_scores_alone(tmp_path: Path):
    one, two = stored_group(tmp_path / "a", [L1, L2]), stored_group(tmp_path / "b", [L2, L1])
    for block in plan_blocks(CANDIDATES, 4):
        assert one.path(block).read_bytes() == two.path(block).read_bytes()
    assert (one.folder / "group.json").read_bytes() == (two.folder / "group.json").read_bytes()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_unusable_scores_are_never_stored(tmp_path: Path, value: float):
    (group,) = plan_groups(tmp_path, BASE, [L1], 4)
    group.open()
    block = plan_blocks(CANDIDATES, 4)[0]
    bad = scored(block, 1)
    bad.scores[0, 2] = value
    with pytest.raises(ScoreError, match="NaN or infinity"):
        group.write(block, bad, cost())
    assert group.stored(block) is None
    assert not list(group.folder.glob("block-*"))


def test_groups_share_passes_by_compression(tmp_path: Path):
    groups = plan_groups(tmp_path, BASE, [FULL, COMPRESSED, L1], 4)
    assert [group.settings for group in groups] == [(L1, FULL), (COMPRESSED,)]


def test_stored_group_is_reused_whole_and_the_rest_is_new(tmp_path: Path):
    first = stored_group(tmp_path, [L1, L2])
    groups = plan_groups(tmp_path, BASE, [L2, FULL], 9)
    assert [group.settings for group in groups] == [(L1, L2), (FULL,)]
    assert groups[0] == first  # with its own block size
    assert groups[1].block_queries == 9


def test_other_identity_is_never_reused(tmp_path: Path):
    first = stored_group(tmp_path, [L1])
    for other in ({**BASE, "candidates": "abd"}, {**BASE, "reranker": {"model": "m", "dtype": "bfloat16"}}):
        (group,) = plan_groups(tmp_path, other, [L1], 4)
        assert group.folder != first.folder
        assert group.stored(plan_blocks(CANDIDATES, 4)[0]) is None


@pytest.mark.parametrize("damage", [b"", b"PAR1 no parquet", None])
def test_damaged_block_counts_as_absent(tmp_path: Path, damage: bytes | None):
    group = stored_group(tmp_path, [L1])
    block = plan_blocks(CANDIDATES, 4)[0]
    path = group.path(block)
    path.write_bytes(damage if damage is not None else path.read_bytes()[:-20])
    assert group.stored(block) is None


def test_block_of_other_pairs_counts_as_absent(tmp_path: Path):
    group = stored_group(tmp_path, [L1])
    block = plan_blocks(CANDIDATES, 4)[0]
    query = block.queries[-1]
    docs = list(CANDIDATES[query])
    other = docs[::-1] if len(docs) > 1 else [("dx", 1.0)]
    assert group.stored(Block(0, block.queries, block.pairs, {**CANDIDATES, query: other})) is None


def test_damaged_description_is_never_reused(tmp_path: Path):
    group = stored_group(tmp_path, [L1])
    (group.folder / "group.json").write_text('{"settings": ["L1"]')
    assert PassScores.read(group.folder) is None


def test_half_written_files_are_removed(tmp_path: Path):
    group = stored_group(tmp_path, [L1])
    (group.folder / "block-00001.parquet.tmp").write_bytes(b"half")
    group.open()
    assert not list(group.folder.glob("*.tmp"))


def test_second_run_is_kept_out(tmp_path: Path):
    with (
        folder_lock(tmp_path),
        pytest.raises(InputError, match=f"another run writes here .process {os.getpid()}."),
        folder_lock(tmp_path),
    ):
        pass
    with folder_lock(tmp_path):
        pass
