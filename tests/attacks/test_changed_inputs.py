"""What a run reads is what it was told it would read; what it writes to is its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attack import command, limited
from conftest import Trial
from packaging.requirements import Requirement
from rerankbench.configs import CONFIGS, read
from rerankbench.eval.data.jsonl_index import JsonlIndex
from rerankbench.eval.locks import file_lock, folder_lock, name_lock
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.prompting.time_limit import TookTooLong, run_limited
from rerankbench.rerankers.storage.atomic import refuse_odd


def corpus(path: Path, word: str) -> None:
    lines = [{"_id": f"d{i}", "title": "", "text": f"{word} {i:04d}"} for i in range(50)]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def test_a_corpus_that_is_rewritten_in_place_is_noticed_where_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "corpus.jsonl"
    corpus(path, "right")
    index = JsonlIndex(path, tmp_path / "cache")
    before, times = path.read_bytes(), path.stat()
    assert index.get(["d7"])[0]["text"] == "right 0007"
    corpus(path, "wrong")  # as long, and with the times that it had
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.raises(InputError, match="was changed while it was read"):
        index.get(["d7"])
    with pytest.raises(InputError, match="was changed while it was read"):
        list(index)
    path.write_bytes(before)
    assert index.get(["d7"])[0]["text"] == "right 0007"
    assert len(list(index)) == 50


def test_a_run_whose_corpus_changes_ends_and_scores_nothing_else(fresh: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewritten after the first block, and put back before the next command."""
    from rerankbench.eval.runner import model_run

    path = fresh.folder / "data" / "corpus.jsonl"
    before, wrong = path.read_bytes(), path.read_bytes().replace(b"e", b"a")
    fresh.run().well()
    right = {block.name: block.read_bytes() for block in fresh.blocks}
    shutil.rmtree(fresh.out)
    write = model_run.PassScores.write

    def rewrite(self: model_run.PassScores, *arguments: object) -> None:
        write(self, *arguments)  # pyright: ignore[reportArgumentType]
        path.write_bytes(wrong)

    monkeypatch.setattr(model_run.PassScores, "write", rewrite)
    monkeypatch.setattr(
        "rerankbench.eval.runner.engine.prefetch", lambda prepare, jobs: ((j, prepare(j)) for j in jobs)
    )
    fresh.run().refused(str(path), "was changed")
    monkeypatch.undo()
    path.write_bytes(before)
    assert {block.name: block.read_bytes() for block in fresh.blocks}.items() <= right.items()


@pytest.mark.parametrize("kind", ["hard link", "symbolic link", "pipe"])
def test_a_lock_is_not_made_through_a_link(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    precious = tmp_path / "precious"
    precious.write_text("precious")
    places = {
        folder_lock: (tmp_path / "run" / ".lock", tmp_path / "run"),
        file_lock: (tmp_path / ".b.json.lock", tmp_path / "b.json"),
    }
    for lock, (place, argument) in places.items():
        place.parent.mkdir(exist_ok=True)
        if kind == "hard link":
            os.link(precious, place)
        elif kind == "symbolic link":
            place.symlink_to(precious)
        else:
            os.mkfifo(place)
        with limited(10), pytest.raises(InputError, match="a lock is to stand there"), lock(argument):
            pass
        assert precious.read_text() == "precious"
    with name_lock("x"):
        pass


NO_FLOCK = "import errno, fcntl\ndef flock(*_): raise OSError(errno.ENOSYS, 'no')\nfcntl.flock = flock\n"


def test_a_run_that_was_killed_is_continued_where_there_is_no_flock(fresh: Trial, tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(NO_FLOCK)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site"), "PYTHONWARNINGS": "ignore"}
    hold = "import time; from pathlib import Path; from rerankbench.eval.locks import folder_lock\n"
    hold += f"with folder_lock(Path({str(fresh.out)!r})): print('held', flush=True); time.sleep(60)"
    process = subprocess.Popen([sys.executable, "-c", hold], env=environment, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    words = command("run", fresh.experiment, "--out", fresh.out)
    held = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert held.returncode == 2
    assert f"process {process.pid}" in held.stderr
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_cache_folder_without_room_is_one_line(fresh: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr("rerankbench.eval.data.jsonl_index._insert", full)
    fresh.run().refused("index", "database or disk is full", "RERANKBENCH_CACHE")


def spin() -> None:
    while True:
        pass


@pytest.mark.parametrize("work", [spin, lambda: 10 ** (10**9), lambda: time.sleep(60)])
def test_code_of_a_folder_runs_so_long_and_no_longer(work: object) -> None:
    start = time.monotonic()
    with pytest.raises(TookTooLong):
        run_limited(work, 0.3)  # pyright: ignore[reportArgumentType]
    assert time.monotonic() - start < 5


def test_code_of_a_folder_has_so_much_memory_and_its_result_comes_back() -> None:
    with pytest.raises(RuntimeError, match="MemoryError"):
        run_limited(lambda: len("x" * (4 << 30)), 20)
    assert run_limited(lambda: "a" * 300_000, 20) == "a" * 300_000
    with pytest.raises(RuntimeError, match="ValueError: invalid"):
        run_limited(lambda: int("no"), 20)


def test_no_release_of_torch_that_runs_code_of_weights_is_allowed() -> None:
    """CVE-2025-32434: `weights_only=True` before 2.6."""
    text = (CONFIGS.parent / "pyproject.toml").read_text()
    (floor,) = [Requirement(word) for word in text.split('"') if word.startswith("torch>=")]
    assert "2.5.1" not in floor.specifier


def test_data_of_the_hub_comes_without_code_and_from_a_revision() -> None:
    text = (CONFIGS.parent / "pyproject.toml").read_text()
    floors = [Requirement(word) for word in text.split('"') if word.startswith("datasets>=")]
    assert floors
    for floor in floors:
        assert "2.19.2" not in floor.specifier, "before 2.20 a repository's code runs by default"
    for file in sorted((CONFIGS / "datasets").glob("*.yaml")):
        content = read(file)
        for name, entry in content["datasets"].items():
            entry = {**content.get("defaults", {}), **(entry or {})}
            if "hub" in entry:
                assert len(str(entry.get("revision", ""))) == 40, f"{file.name}: {name}"


@pytest.mark.parametrize("kind", ["link", "dangling link", "pipe"])
@pytest.mark.parametrize("deep", [False, True])
def test_odd_files_are_refused_wherever_they_are(kind: str, deep: bool, tmp_path: Path) -> None:
    refuse_odd(tmp_path / "nothing")
    top = tmp_path / "top"
    (top / "below").mkdir(parents=True)
    (top / "below" / "file").write_text("x")
    refuse_odd(top)
    odd = top / "below" / "odd" if deep else tmp_path / "odd"
    os.mkfifo(odd) if kind == "pipe" else odd.symlink_to(top if kind == "link" else "nowhere")
    with pytest.raises(InputError, match="is no regular file" if kind == "pipe" else "is a link"):
        refuse_odd(top if deep else odd)
