"""A disk that fills up; `full_disk.py` takes many moments."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from attack import Outcome, command
from conftest import Trial

SCRIPT = Path(__file__).with_name("full_disk.py")
MOMENTS = 2


def may_mount() -> bool:
    try:
        return subprocess.run(["unshare", "-rm", "true"], capture_output=True).returncode == 0
    except OSError:
        return False


mounts = pytest.mark.skipif(not may_mount(), reason="this user may not mount a small disk (unshare -rm)")


@pytest.mark.slow
@mounts
def test_full_at_random_moments() -> None:
    variables = {**os.environ, "PYTHONPATH": str(SCRIPT.parents[1] / "support")}
    program = ["unshare", "-rm", sys.executable, str(SCRIPT), "--moments", str(MOMENTS)]
    done = subprocess.run(program, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{MOMENTS} runs on a full disk")


@mounts
def test_a_finished_run_is_shown_from_a_read_only_disk(fresh: Trial) -> None:
    words = command("run", fresh.experiment, "--out", fresh.out)
    first = subprocess.run([*map(str, words)], capture_output=True, text=True)
    assert first.returncode == 0, first.stderr
    mounted = f"mount --bind '{fresh.out}' '{fresh.out}' && mount -o remount,ro,bind '{fresh.out}' && exec "
    program = mounted + shlex.join(map(str, words))
    done = subprocess.run(["unshare", "-rm", "sh", "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, first.stdout), done.stderr
    assert "cannot be written; its stored results are shown" in done.stderr


@mounts
def test_read_only(fresh: Trial) -> None:
    fresh.out.mkdir()
    program = f"mount -t tmpfs -o ro tmpfs '{fresh.out}' && exec " + shlex.join(
        map(str, command("run", fresh.experiment, "--out", fresh.out))
    )
    done = subprocess.run(["unshare", "-rm", "sh", "-c", program], capture_output=True, text=True)
    Outcome(done.returncode, done.stdout, done.stderr).refused(str(fresh.out), "Read-only file system")
    assert not list(fresh.out.iterdir())
