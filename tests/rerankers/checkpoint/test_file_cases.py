"""Some of the generated cases of the other files (`file_cases.py` has all): the library's score, or one line."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from config_cases import quiet
from file_cases import FILES, Bench

st = pytest.importorskip("sentence_transformers")
pytest.importorskip("peft")
if int(st.__version__.split(".")[0]) < 6:
    pytest.skip("folders of sentence-transformers 6", allow_module_level=True)

EACH = 8  # cases of a file


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[Bench]:
    quiet()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RERANKBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
        yield Bench(tmp_path_factory.mktemp("files"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", FILES)
def test_a_key_is_obeyed_or_refused(bench, name):
    every = list(bench.cases(name))
    chosen = random.Random(f"file {name}").sample(every, min(EACH, len(every)))
    outcomes = {str(case): bench.run(case) for case in chosen}
    assert {case: outcome for case, outcome in outcomes.items() if not outcome.right} == {}
