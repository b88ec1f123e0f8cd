"""Runs on a disk that is full at random moments: one line, nothing half-written, and with room the same bytes.

The disk is a small tmpfs in a mount namespace of this process's own, which ends with it:

    unshare -rm env PYTHONPATH=tests/support python tests/attacks/full_disk.py --moments 20
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import subprocess
import tempfile
from pathlib import Path

from attack import cli, on_disk
from beir_folder import QUERIES, jsonl, write_beir
from checkpoints import make

KEPT = (".parquet", "run.trec.gz", "qrels.trec.gz", "group.json")
PAGE = 4096


def disk(folder: Path, **limits: object) -> None:
    """An empty disk, or with `remount` the same with other limits."""
    options = ",".join(key if value is True else f"{key}={value}" for key, value in limits.items())
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)


def evidence(out: Path) -> dict[str, bytes]:
    return {name: data for name, data in on_disk(out).items() if name.endswith(KEPT)}


def used(folder: Path) -> tuple[int, int]:
    """Pages and inodes in use."""
    state = os.statvfs(folder)
    return state.f_blocks - state.f_bfree, state.f_files - state.f_ffree


def fill(place: Path, moments: int) -> tuple[int, int]:
    """(moments at which the disk was full, most blocks that such a run had stored before)."""
    queries = [{**QUERIES[n % 2], "_id": f"q{n}"} for n in range(12)]
    qrels = "query-id\tcorpus-id\tscore\n" + "".join(f"q{n}\td{1 + n % 4}\t1\n" for n in range(12))
    write_beir(place / "data", queries=jsonl(queries), qrels=qrels)
    make(place / "model", "bert")
    raw = {"name": "trial", "datasets": ["data"], "rerankers": [{"model": "model", "dtype": "float32"}]}
    Path("trial.yaml").write_text(json.dumps({**raw, "engine": {"device": "cpu", "block_queries": 1}}))
    mounted = place / "disk"
    mounted.mkdir()
    run = ("run", "trial.yaml", "--out", mounted / "out")
    os.environ["RERANKBENCH_CACHE"] = str(mounted / "cache")
    disk(mounted, size="64m")
    cli(*run).well()
    expected, (pages, inodes) = evidence(mounted / "out"), used(mounted)
    draw, full, most = random.Random(20), 0, 0
    while full < moments:
        subprocess.run(["umount", str(mounted)], check=True)
        # every third time it is names that run out, not bytes
        limits = {"nr_inodes": draw.randint(4, inodes)} if full % 3 == 2 else {"size": draw.randint(4, pages) * PAGE}
        disk(mounted, **{"size": "64m", **limits})
        done = cli(*run)
        if done.status:
            done.refused()
            assert "No space left on device" in done.err, done.err
            full += 1
            most = max(most, len(list(mounted.glob("out/scores/**/block-*.parquet"))))
        assert not list(mounted.rglob("*.tmp")), "a temporary file was left"
        disk(mounted, remount=True, size="64m", nr_inodes=0)
        cli(*run).well()
        assert evidence(mounted / "out") == expected, limits
        shutil.rmtree(mounted / "out")
    return full, most


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--moments", type=int, default=20)
    moments = parser.parse_args().moments
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        full, most = fill(Path(name), moments)
        os.chdir("/")
        subprocess.run(["umount", f"{name}/disk"], check=True)
    print(f"{full} runs on a full disk, the furthest with {most} blocks of 12: the same bytes with room again")


if __name__ == "__main__":
    main()
