"""The rules of the house: who may import what, and how long a file may be."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("eval", "rerankers")
MOST_LINES = 400

# what runs on a bare GPU image; huggingface_hub and tokenizers come with transformers
RERANKERS_NEED = {"torch", "transformers", "tokenizers", "huggingface_hub", "safetensors", "numpy", "yaml"}

# The face of rerankers/: the package itself and the modules that say what a model is, how it is asked and what it
# answers. `hub` and `models.config` are in it because plans and dense retrieval need a model's files and its shape
# without loading it as a reranker; families, tokenizers, batching and the forward passes are not.
PUBLIC = {
    "",
    "api",
    "cache",
    "errors",
    "flag",
    "flops",
    "hub",
    "models.config",
    "options",
    "prompts",
    "random_weights",
    "registry",
    "settings",
    "spec",
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports anywhere, this project's as `eval.…` and `rerankers.…`.

    `from ..rerankers import flops` counts as `rerankers.flops` when that is a module.
    """
    here = ["rerankbench", *path.relative_to(ROOT).with_suffix("").parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = here[: len(here) - node.level + (path.name == "__init__.py" and node.level == 0)]
            base = ".".join([*(package if node.level else []), *([node.module] if node.module else [])])
            inner = [f"{base}.{alias.name}" for alias in node.names]
            names = [name if _is_module(name) else base for name in inner]
        yield from (name.removeprefix("rerankbench.") for name in names)


def _is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.removeprefix("rerankbench.").split("."))
    return name.startswith("rerankbench.") and (path.with_suffix(".py").is_file() or path.is_dir())


@pytest.mark.parametrize("package", PACKAGES)
def test_files_read_on_a_few_screens(package: str) -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text("utf-8").splitlines()) for path in sources(package)}
    assert len(lengths) > 10
    assert {name: lines for name, lines in lengths.items() if lines > MOST_LINES} == {}


def test_rerankers_need_few_packages_and_nothing_of_eval() -> None:
    allowed = RERANKERS_NEED | set(sys.stdlib_module_names) | {"rerankers", "configs"}
    strangers = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("rerankers")
        for name in imported(path)
        if name.split(".")[0] not in allowed
    }
    assert strangers == set()


def test_eval_uses_the_face_of_rerankers_only() -> None:
    inside = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("eval")
        for name in imported(path)
        if name.split(".")[0] == "rerankers" and name.removeprefix("rerankers").removeprefix(".") not in PUBLIC
    }
    assert inside == set()


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("eval/cli/flops.py", "rerankers.flops"),
        ("eval/cli/run.py", "eval.runner.run"),
        ("eval/results.py", "pandas"),
        ("rerankers/models/decoder.py", "torch"),
        ("rerankers/families/llm.py", "rerankers.families.decoder_family"),
        ("rerankers/__init__.py", "rerankers.errors"),
    ],
)
def test_imports_are_found(file: str, module: str) -> None:
    """The three rules above see what they are about."""
    assert module in set(imported(ROOT / file))


def test_every_package_is_installed() -> None:
    """Setuptools cannot find packages below a mapped name; a forgotten line would be missing from the wheel only."""
    listed = re.findall(r'^  "rerankbench\.([\w.]+)",$', (ROOT / "pyproject.toml").read_text("utf-8"), re.MULTILINE)
    there = [path.parent for top in ("configs", *PACKAGES) for path in (ROOT / top).rglob("__init__.py")]
    assert listed == sorted(".".join(path.relative_to(ROOT).parts) for path in there)
