"""A real server, infinity, on this CPU: what it answers for a checkpoint is what the native path gives.

`RERANKBENCH_INFINITY` names its command, `infinity_emb`, in an environment of its own (it needs an older transformers).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator

import numpy as np
import pytest
from checkpoints import PARITY
from rerankbench.rerankers import LoadOptions, ModelSpec, load

FOLDER = PARITY / "xlmr-s1"
COMMAND = os.environ.get("RERANKBENCH_INFINITY")


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["v2", "--model-id", str(FOLDER), "--device", "cpu", "--engine", "torch", "--port", str(port)]
    quiet = ["--no-bettertransformer", "--no-model-warmup"]
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "DO_NOT_TRACK": "1"}
    process = subprocess.Popen([str(COMMAND), *words, *quiet], env=environment)
    try:
        for _ in range(120):
            assert process.poll() is None, "infinity ended"
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/models", timeout=1).close()
                break
            except (urllib.error.URLError, OSError):
                time.sleep(1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


@pytest.mark.slow
@pytest.mark.skipif(COMMAND is None, reason="set RERANKBENCH_INFINITY to the command infinity_emb")
def test_infinity_answers_what_the_native_path_gives(url: str) -> None:
    pairs = [
        pair for pair in json.loads((PARITY / "pairs.json").read_text("utf-8"))["main"] if all(map(str.strip, pair))
    ]
    assert len(pairs) > 10
    server = {"api": "infinity", "url": url}
    served = load(ModelSpec("infinity", "served", str(FOLDER), revision="s1", options={"server": server})).predict(
        pairs
    )
    native = load(str(FOLDER), LoadOptions(device="cpu", dtype="float32")).predict(pairs, truncation="snippet")
    np.testing.assert_allclose(served, native, rtol=0, atol=1e-4)
