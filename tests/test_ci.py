"""Workflows and containers are thin: what they call is here, and what they name exists. They cannot run here."""

from __future__ import annotations

import json
import re
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from rerankbench.configs import CONFIGS, read
from rerankbench.eval.inventory.installation import folders

ROOT = Path(__file__).resolve().parent.parent
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCKERFILES = (ROOT / "Dockerfile", ROOT / "Dockerfile.cuda")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def steps(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
        for step in job["steps"]:
            yield name, step


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_step_is_a_target_an_action_or_the_image(path: Path) -> None:
    ran = [step["run"] for _, step in steps(path) if "run" in step]
    assert ran
    for line in ran:
        target = re.fullmatch(r"make ([a-z-]+)", line)
        assert target or line.startswith("docker "), line
        assert "${{" not in line
        if target:
            assert re.search(rf"^{target[1]}:.*## ", MAKEFILE, re.MULTILINE), line


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_may_write_unless_its_job_says_so(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    writing = {name for name, job in workflow["jobs"].items() if "write" in json.dumps(job.get("permissions", {}))}
    assert writing == ({"publish", "pages"} if path.name == "release.yml" else set())
    for _, step in steps(path):
        assert "secrets." not in json.dumps(step)
        if "uses" in step and step["uses"] != "./":
            assert re.fullmatch(r"[\w-]+/[\w-]+@[\w/.]+", step["uses"])


def test_the_matrix_is_what_the_package_declares() -> None:
    declared = re.findall(r'"Programming Language :: Python :: (3\.\d+)"', (ROOT / "pyproject.toml").read_text("utf-8"))
    jobs = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))["jobs"]
    assert jobs["test"]["strategy"]["matrix"]["python"] == declared


def test_the_action_is_tried_with_inputs_that_it_has() -> None:
    inputs = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))["inputs"]
    (used,) = [step for _, step in steps(ROOT / ".github/workflows/test.yml") if step.get("uses") == "./"]
    assert {name for name, value in inputs.items() if value.get("required")} <= set(used["with"]) <= set(inputs)
    assert (ROOT / used["with"]["baseline"]).is_file()


@pytest.mark.parametrize(
    ("schema", "path"),
    [*(("github-workflows", path) for path in WORKFLOWS), ("dependabot", ROOT / ".github" / "dependabot.yml")],
    ids=lambda part: getattr(part, "name", part),
)
def test_github_would_read_them(schema: str, path: Path) -> None:
    pytest.importorskip("check_jsonschema", reason="the published schemas of GitHub's files")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_hooks_need_no_environment_of_the_project() -> None:
    (local,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert local["repo"] == "local"
    for hook in local["hooks"]:
        (pinned,) = hook["additional_dependencies"]
        assert hook["language"] == "python"
        assert re.sub(r"\[.*\]", "", pinned) in pins
        assert hook["entry"].split()[0] == re.split(r"[\[=]", pinned)[0]


@pytest.fixture(scope="module")
def release() -> dict[str, Any]:
    """The names of the release script."""
    return runpy.run_path(str(ROOT / ".ci" / "wheel.py"))


def test_the_changelog_has_the_version(release: dict[str, Any]) -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert release["missing_section"](release["version"](), changelog) is None
    assert "no section '## 9.0.0'" in release["missing_section"]("9.0.0", changelog)


@pytest.mark.parametrize(
    ("changelog", "refused"),
    [
        ("# C\n\n## 1.2.0\n\n- new\n", False),
        ("# C\n\n## 1.2.0 (2026-12-01)\n\nText.\n\n- new\n\n## 1.1.0\n", False),
        ("# C\n\n## 1.2.0\n\n### Added\n\n- new\n", False),
        ("# C\n\n## 1.2.0.1\n\n- new\n", True),
        ("# C\n\n## 1.1.0\n\n- before 1.2.0\n", True),
        ("# C\n\n## 1.2.0\n\n## 1.1.0\n\n- old\n", True),
        ("# C\n\n### 1.2.0\n\n- new\n", True),
    ],
)
def test_a_version_without_a_section_is_refused(release: dict[str, Any], changelog: str, refused: bool) -> None:
    assert (release["missing_section"]("1.2.0", changelog) is not None) is refused


def test_a_refused_version_is_one_line_and_builds_nothing(tmp_path: Path) -> None:
    for name in (".ci/wheel.py", "pyproject.toml", "tests/docs/doc_blocks.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, tmp_path / name)
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 0.0.1\n\n- old\n", encoding="utf-8")
    command = [sys.executable, ".ci/wheel.py", "--here"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (1, "", 1)
    assert not (tmp_path / "dist").exists()


def test_every_note_of_a_change_is_short() -> None:
    notes = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "changes").glob("*.md")}
    assert "README.md" in notes
    for name, text in notes.items():
        assert text.strip(), name
        assert len(text.splitlines()) <= 5, name


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_images_are_built_from_the_wheel_and_run_as_nobody_special(path: Path) -> None:
    lines = re.sub(r"\\\n", " ", path.read_text(encoding="utf-8")).splitlines()
    said = [(line.split()[0], line.split(maxsplit=1)[1]) for line in lines if line and not line.startswith("#")]
    last = dict(said)
    assert last["USER"] not in ("root", "0")
    assert [word for word, _ in said].index("USER") < [word for word, _ in said].index("ENTRYPOINT")
    assert json.loads(last["ENTRYPOINT"]) == ["rerankbench"]
    assert "/cache" in json.loads(last["VOLUME"])
    variables = dict(pair.split("=", 1) for pair in last["ENV"].split())
    kernels = {"TRITON_CACHE_DIR"} if path.suffix == ".cuda" else set()
    assert {folder.variable for folder in folders()} | kernels == {
        k for k, v in variables.items() if v.startswith("/cache/")
    }
    extras = next(rest for word, rest in said if word == "ARG" and rest.startswith("EXTRAS=")).removeprefix("EXTRAS=")
    assert set(extras.split(",")) <= set(read(CONFIGS / "extras.yaml"))
    for rest in (rest for word, rest in said if word == "COPY" and "--from" not in rest):
        assert (ROOT / rest.split()[0]).exists(), rest
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert {"tests", "results", ".git"} <= set(ignored)
    assert not {"configs", "eval", "rerankers", "rerankbench", "setup.py", "README.md", "LICENSE"} & set(ignored)
