"""The rules of the house: who may import what, and how long a file may be."""

from __future__ import annotations

import ast
import graphlib
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rerankbench.rerankers.registry import FAMILIES

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("eval", "rerankers")
MOST_LINES = 400
MOST_LINES_OF_A_FUNCTION = 60
SHARED_LINES = 12
MOST_PARAMETERS = 8  # a command's are its options, which stand in its help; those of a GPU kernel are places in memory

# The rooms, bottom up: a room imports from lines above its own only. docs/architecture.md has the picture.
ROOMS = {
    "rerankers": (
        {"errors"},
        {"options"},
        {"groups", "settings", "storage"},
        {"prompting", "served", "validate"},
        {"checkpoint", "flops"},
        {"spec"},
        {"models"},
        {"api", "architectures"},
        {"custom", "family", "tokenization"},
        {"adapters", "listwise"},
        {"families"},
        {"extend", "registry"},
        {"flag", "random_weights", "token_ids"},
    ),
    "eval": (
        {"hardware", "locks", "metrics", "text"},
        {"data"},
        {"results"},
        {"first_stage", "published"},
        {"board", "experiment", "gate"},
        {"chart", "compare", "exchange", "inventory", "plan"},
        {"schedule"},
        {"runner"},
        {"replay"},
        {"tables"},
        {"report"},
        {"bench", "verify"},
        {"latency"},
        {"api"},
        {"reproduce"},
        {"cli"},
    ),
}

FLAT = (ROOT / "eval" / "cli", ROOT / "rerankers" / "models" / "kernels")

# signatures of FlagEmbedding, which rerankers.flag has so that programs run unchanged
PUBLISHED = {"rerankers/flag/base.py: __init__", "rerankers/flag/__init__.py: compute_score"}

# what runs on a bare GPU image; huggingface_hub and tokenizers come with transformers
RERANKERS_NEED = {"torch", "transformers", "tokenizers", "huggingface_hub", "safetensors", "numpy", "yaml", "pydantic"}
ON_DEMAND = {  # imported where an adapter is merged, where mteb drives a model, where a server or a GPU is asked
    "rerankers/checkpoint/lora.py: peft",
    "rerankers/adapters/mteb.py: mteb.models",
    "rerankers/served/client.py: urllib3",
    "rerankers/served/exchange.py: urllib3",
    "rerankers/served/exchange.py: urllib3.connection",
    "rerankers/models/compiled.py: triton",
    *(
        f"rerankers/models/kernels/{name}.py: {module}"
        for name in ("codes", "gates", "norms", "rotation", "tiles")
        for module in ("triton", "triton.language")
    ),
}

# The face of rerankers/: the package itself and the modules that say what a model is, how it is asked and what it
# answers. `hub` is in it because dense retrieval needs a model's files without loading it as a reranker; families,
# adapters, tokenizers, batching and the forward passes are not.
PUBLIC = {
    "",
    "api",
    "storage.cache",
    "storage.digests",
    "errors",
    "flag",
    "flops",
    "checkpoint.hub",
    "storage.names",
    "storage.pointers",
    "options",
    "custom",
    "prompting.prompts",
    "random_weights",
    "registry",
    "settings",
    "spec",
    "prompting.template",
    "token_ids",
    "validate",
    "storage.atomic",
}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported(path: Path) -> Iterator[str]:
    """Full names of the modules that a file imports, this project's as `eval.…` and `rerankers.…`; types aside.

    `from ..rerankers import flops` counts as `rerankers.flops` when that is a module.
    """
    here = ["rerankbench", *path.relative_to(ROOT).with_suffix("").parts]
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        names = []
        if node in for_types:
            continue
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
    assert strangers - ON_DEMAND == set()


def test_eval_uses_the_face_of_rerankers_only() -> None:
    inside = {
        f"{path.relative_to(ROOT)}: {name}"
        for path in sources("eval")
        for name in imported(path)
        if name.split(".")[0] == "rerankers" and name.removeprefix("rerankers").removeprefix(".") not in PUBLIC
    }
    assert inside == set()


def rooms_of(package: str) -> set[str]:
    return {
        path.stem for path in (ROOT / package).iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_rooms_import_from_below_only(package: str) -> None:
    height = {room: level for level, rooms in enumerate(ROOMS[package]) for room in rooms}
    assert set(height) == rooms_of(package) - {"__init__"}
    upward = set()
    for path in sources(package):
        room = path.relative_to(ROOT / package).parts[0].removesuffix(".py")
        if room == "__init__":
            continue
        others = {name.split(".")[1] for name in imported(path) if name.startswith(f"{package}.")} - {room}
        upward |= {f"{path.relative_to(ROOT)}: {other}" for other in others if height[other] >= height[room]}
    assert upward == set()


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph: dict[str, set[str]] = {}
    for path in (path for package in PACKAGES for path in sources(package)):
        name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        graph[name] = set(imported(path)) - {name}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("package", PACKAGES)
def test_functions_are_short_and_take_few_parameters(package: str) -> None:
    long, wide = {}, {}
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{path.relative_to(ROOT)}: {node.name}"
                if name in PUBLISHED:
                    continue
                known = [a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs)]
                parameters = len([arg for arg in known if arg not in ("self", "cls")])
                lines = (node.end_lineno or 0) - node.lineno + 1
                if lines > MOST_LINES_OF_A_FUNCTION:
                    long[name] = lines
                if parameters > MOST_PARAMETERS and path.parent not in FLAT:
                    wide[name] = parameters
    assert (long, wide) == ({}, {})


def test_no_family_is_named_outside_its_family() -> None:
    """What is special about a family is asked of it; sentence-transformers and mteb use two of the words, too."""
    theirs = {
        ("sentence_transformers.py", "sequence-classification"),
    }
    theirs |= {("mteb.py", "cross-encoder")}
    allowed = {ROOT / "rerankers/registry.py", *(ROOT / "rerankers/families").glob("*.py")}
    named = {
        (path.name, node.value)
        for path in (path for package in PACKAGES for path in sources(package) if path not in allowed)
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and node.value in FAMILIES
    }
    assert named == theirs


def test_no_two_places_share_twelve_lines() -> None:
    """Lines of code, imports and lone brackets left out."""
    places: dict[tuple[str, ...], str] = {}
    twice = set()
    for path in (path for package in PACKAGES for path in sources(package)):
        stripped = [(n, line.strip()) for n, line in enumerate(path.read_text("utf-8").splitlines(), 1)]
        code = [(n, x) for n, x in stripped if len(x) > 2 and not x.startswith(("#", "from ", "import "))]
        for start in range(len(code) - SHARED_LINES + 1):
            key = tuple(line for _, line in code[start : start + SHARED_LINES])
            place = f"{path.relative_to(ROOT)}:{code[start][0]}"
            if key in places:
                twice.add((places[key], place))
            places.setdefault(key, place)
    assert twice == set()


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("eval/plan/pair.py", "rerankers.flops"),
        ("eval/api.py", "eval.runner.run"),
        ("eval/results/rejudge.py", "eval.metrics.trec"),
        ("rerankers/models/decoder.py", "torch"),
        ("rerankers/families/llm.py", "rerankers.families.decoder"),
        ("rerankers/__init__.py", "rerankers.errors"),
    ],
)
def test_imports_are_found(file: str, module: str) -> None:
    """The three rules above see what they are about."""
    assert module in set(imported(ROOT / file))


def test_every_package_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What setup.py finds below the mapped names is what is there."""
    setuptools = pytest.importorskip("setuptools", reason="setup.py is run by setuptools")
    given: dict[str, list[str]] = {}
    monkeypatch.setattr(setuptools, "setup", lambda **words: given.update(words))
    runpy.run_path(str(ROOT / "setup.py"), run_name="__main__")
    there = [path.parent for top in ("configs", *PACKAGES) for path in (ROOT / top).rglob("__init__.py")]
    named = [".".join(("rerankbench", *path.relative_to(ROOT).parts)) for path in there]
    assert sorted(given["packages"]) == sorted(["rerankbench", *named])
