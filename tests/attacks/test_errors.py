"""Whatever goes wrong: one line, a status that CI can act on, and no partial file."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from attack import Outcome, cli, command, on_disk, spawn, tell_interrupted, together
from conftest import Trial
from processes import started

linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="devices of Linux")


@linux
def test_a_full_device_as_stdout(trial: Trial) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        done = subprocess.run(command("table", trial.out), stdout=full, stderr=subprocess.PIPE, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (2, "error: No space left on device\n")


@linux
@pytest.mark.parametrize("device", ["/dev/full", "/dev/null", "/dev/stdout"])
def test_a_device_as_output_stays_a_device(trial: Trial, device: str) -> None:
    before = os.lstat(device).st_mode
    cli("table", trial.out, "--output", device).refused(device)
    assert os.lstat(device).st_mode == before


def test_a_closed_pipe(trial: Trial) -> None:
    with subprocess.Popen(command("ls", "models"), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        error = process.stderr.read()
        assert (process.wait(timeout=60), error) == (141, b"")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_of_few_characters(trial: Trial, encoding: str) -> None:
    done = spawn("ls", "prompts", env={"PYTHONIOENCODING": encoding}).well()
    assert done.err == ""
    spawn("run", "nöwhere→", env={"PYTHONIOENCODING": encoding}).refused("unknown")


@pytest.mark.parametrize("place", ["file", "below"])
def test_a_file_in_the_place_of_a_folder(fresh: Trial, place: str) -> None:
    fresh.out.write_text("mine") if place == "file" else (
        fresh.out.mkdir(),
        (fresh.out / "candidates").write_text("mine"),
    )
    before = on_disk(fresh.folder)
    fresh.run().refused(str(fresh.out))
    after = on_disk(fresh.folder)
    assert {name: data for name, data in after.items() if name in before} == before


@pytest.mark.parametrize(("number", "word"), [(signal.SIGTERM, "terminated"), (signal.SIGINT, "interrupted")])
def test_signals(fresh: Trial, tmp_path: Path, number: signal.Signals, word: str) -> None:
    if signal.getsignal(number) == signal.SIG_IGN:
        pytest.skip("a shell's background job: it and its children ignore this signal")
    call = (number, tmp_path / "told", ("run", fresh.experiment, "--out", fresh.out))
    with started(tell_interrupted, [call]) as (process,):
        process.join(100)
    done = Outcome(*json.loads((tmp_path / "told").read_text()))
    assert done.status == 128 + number, done.err
    assert done.err.endswith(f"{word}; the same command continues where it stopped\n")
    assert "Traceback" not in done.err
    assert not list(fresh.out.rglob("*.tmp"))
    fresh.run().well()


@pytest.mark.parametrize(
    "module", ["rerankbench.eval.text.sanitize", "rerankbench.eval.cli.commands", "typer", "pydantic"]
)
def test_control_c_while_something_is_imported(module: str) -> None:
    program = f"""
import sys

class Key:
    def find_spec(self, name, *_):
        if name == {module!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Key())
from rerankbench.eval.cli import main
main()
"""
    done = subprocess.run([sys.executable, "-c", program, "plan", "quickstart"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr in ("", "interrupted; the same command continues where it stopped\n")


def test_a_fault_of_our_own_is_one_line(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    from rerankbench.eval.inventory import shipped

    def fail() -> None:
        raise KeyError("x\ny")

    monkeypatch.setattr(shipped, "models", fail)
    cli("ls", "models").refused("fault in rerankbench: KeyError", "test_errors.py")


@pytest.mark.parametrize("arguments", [["nothing"], ["run"], ["run", "x", "--nope"], ["table"], ["ls", "x"]])
def test_arguments(arguments: list[str]) -> None:
    cli(*arguments).refused()


@pytest.mark.parametrize("value", ["", "a\0b", "\udcff"])
@pytest.mark.parametrize(
    "call",
    [
        ("run", "trial.yaml", "--out"),
        ("export", "out", "--output"),
        ("accept", "--run", "out", "--reason", "x", "--baseline"),
        ("report", "out", "-o"),
        ("table",),
    ],
)
def test_arguments_that_are_no_text(trial: Trial, call: tuple[str, ...], value: str) -> None:
    before = on_disk(trial.folder.parent)
    cli(*call, value).refused(call[-1] if not value else "UTF-8")
    if len(call) > 1 and not value and call[-1].startswith("--"):
        cli(*call[:-1], f"{call[-1]}=").refused(call[-1])
    assert on_disk(trial.folder.parent) == before


def test_what_dead_processes_left_is_cleared(trial: Trial) -> None:
    from rerankbench.rerankers.storage.atomic import temporary_name

    dead = subprocess.run([sys.executable, "-c", "pass"], check=True) and temporary_name("x").replace(
        f"-{os.getpid()}-", "-999999999-"
    )
    alive = temporary_name("x")
    shutil.rmtree(trial.folder.parent / "cache", ignore_errors=True)
    for folder in (trial.out / "candidates", trial.folder.parent / "cache" / "index"):
        folder.mkdir(parents=True, exist_ok=True)
        for name in (dead, alive):
            (folder / name).write_text("half")
    trial.run().well()
    for folder in (trial.out / "candidates", trial.folder.parent / "cache" / "index"):
        assert not (folder / dead).exists()
        assert (folder / alive).exists()


def test_modes_are_the_umasks(fresh: Trial) -> None:
    before = os.umask(0o027)
    try:
        fresh.run().well()
    finally:
        os.umask(before)
    modes = {path.stat().st_mode & 0o777 for path in fresh.out.rglob("*") if path.is_file() and path.name != ".lock"}
    assert modes == {0o640}


def test_two_runs_in_one_folder(fresh: Trial, tmp_path: Path) -> None:
    ends = together(*[("run", fresh.experiment, "--out", fresh.out)] * 2, folder=tmp_path / "told")
    assert 0 in {done.status for done in ends}
    for done in ends:
        done.refused("another run writes here") if done.status else done.well()
    cli("table", fresh.out).well()


def test_no_home(trial: Trial, tmp_path: Path) -> None:
    done = spawn("table", trial.out, env={"HOME": None, "RERANKBENCH_CACHE": None, "USERPROFILE": None})
    done.well()
