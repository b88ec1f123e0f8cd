"""The Triton kernels compute their formulas, by Triton's interpreter: no GPU is needed, but Triton is.

    pip install triton numpy; TRITON_INTERPRET=1 pytest tests/rerankers/models/test_kernels.py

In float16, because the interpreter cuts bfloat16 off where a GPU rounds it.
"""

from __future__ import annotations

import os

import pytest
import torch
from kernel_cases import kernel_cases

if os.environ.get("TRITON_INTERPRET") != "1":
    pytest.skip("TRITON_INTERPRET=1 is not set", allow_module_level=True)
pytest.importorskip("triton")


@pytest.mark.filterwarnings("ignore:overflow encountered")  # as it should: 1 / infinity
@pytest.mark.parametrize(
    ("rows", "width"), [(1, 16), (300, 64), (7, 100), (5, 384), (3, 1000), (3, 3584), (2, 9000), (1, 16384), (1, 20000)]
)
def test_kernels_equal_their_formulas(rows: int, width: int) -> None:
    from rerankbench.rerankers.models import kernels

    for case in kernel_cases(rows, width, torch.float16, "cpu"):
        case.check(getattr(kernels, case.kernel)(*case.arguments), carries=False)
