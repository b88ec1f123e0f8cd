"""Freed memory stays for the next batch, unless the user has said something else."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource
from rerankbench.rerankers.models.malloc import keep_freed_memory
kept = keep_freed_memory()
import torch

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 * 2**20)  # 64 MiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

touched = [faults() for _ in range(16)][12:]
print(kept, sum(touched) * resource.getpagesize() / 2**20)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's malloc")
@pytest.mark.parametrize("own", [{}, {"MALLOC_MMAP_THRESHOLD_": str(2**20)}])
def test_pages_are_kept(own: dict[str, str]):
    done = subprocess.run([sys.executable, "-c", SCRIPT], env={**os.environ, **own}, capture_output=True, text=True)
    kept, touched = done.stdout.split()
    assert kept == str(not own)
    # MiB in 4 rounds of 64, once malloc's pieces have found their places
    assert float(touched) >= 250 if own else float(touched) < 10
