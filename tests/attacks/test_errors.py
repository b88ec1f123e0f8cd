"""Whatever goes wrong: one line, a status that CI can act on, and no partial file."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from attack import cli, command, on_disk, spawn, together
from conftest import Trial

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


def test_termination(fresh: Trial) -> None:
    with subprocess.Popen(
        command("run", fresh.experiment, "--out", fresh.out), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not (fresh.out / "candidates").exists() and process.poll() is None:
            time.sleep(0.01)
        process.terminate()
        _, error = process.communicate(timeout=100)
    assert process.returncode == 143, error
    assert error.decode().endswith("terminated; the same command continues where it stopped\n")
    assert "Traceback" not in error.decode()
    assert not list(fresh.out.rglob("*.tmp"))
    fresh.run().well()


def test_a_fault_of_our_own_is_one_line(trial: Trial, monkeypatch: pytest.MonkeyPatch) -> None:
    from rerankbench.eval.inventory import shipped

    def fail() -> None:
        raise KeyError("x\ny")

    monkeypatch.setattr(shipped, "models", fail)
    cli("ls", "models").refused("fault in rerankbench: KeyError", "test_errors.py")


@pytest.mark.parametrize("arguments", [["nothing"], ["run"], ["run", "x", "--nope"], ["table"], ["ls", "x"]])
def test_arguments(arguments: list[str]) -> None:
    cli(*arguments).refused()


def test_what_dead_processes_left_is_cleared(trial: Trial) -> None:
    from rerankbench.rerankers.whole_files import temporary_name

    dead = subprocess.run([sys.executable, "-c", "pass"], check=True) and temporary_name("x").replace(
        f"-{os.getpid()}-", "-999999999-"
    )
    alive = temporary_name("x")
    for name in (dead, alive):
        (trial.out / "candidates" / name).write_text("half")
    trial.run().well()
    assert not (trial.out / "candidates" / dead).exists()
    assert (trial.out / "candidates" / alive).exists()


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
