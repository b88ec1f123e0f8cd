"""The package at the top: `rerankbench.load`, the version, the command, and what a wheel holds."""

from __future__ import annotations

import re
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
for name in set(rerankbench.__all__) - {"__version__"}:
    assert getattr(rerankbench, name) is getattr(rerankers, name), name
assert set(rerankbench.__all__) == {*rerankers.__all__, "__version__"} <= set(dir(rerankbench))
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


@pytest.mark.slow
def test_a_wheel_holds_every_package_and_works(tmp_path: Path) -> None:
    pytest.importorskip("setuptools", minversion="77", reason="wheels are built by setuptools 77 or newer")
    tree = tmp_path / "tree"
    git = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(git, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if not name.startswith(("tests/", "results/")) and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((ROOT / name).read_bytes())
    build = ["-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), "."]
    done = python(*build, cwd=tree)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        held = set(archive.namelist())
        archive.extractall(tmp_path / "site")
    packages = re.findall(r'^  "(rerankbench[\w.]*)",$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    assert {f"{name.replace('.', '/')}/__init__.py" for name in packages} <= held
    assert {"rerankbench/py.typed", "rerankbench/__main__.py", "rerankbench/configs/prompts.yaml"} <= held
    program = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in getattr(finder, "__module__", "")]
sys.path.insert(0, "site")
import rerankbench
from rerankbench import rerankers
print(rerankers.__file__, rerankbench.load.__name__, len(rerankbench.list_models()) > 5)
"""
    done = python("-c", program, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    place, *rest = done.stdout.split()
    assert Path(place).is_relative_to(tmp_path / "site") or place.startswith("site")
    assert rest == ["load", "True"]
