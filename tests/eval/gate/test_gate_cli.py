"""The commands as a person or CI runs them: exit status, streams, files."""

from __future__ import annotations

import io
import json
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from gate_cells import FakeCell, some_scores
from rerankbench.eval.cli import main


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


def rerankbench(*words: object) -> Done:
    """What the console script does, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["rerankbench", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            main()
    return Done(int(left.value.code or 0), out.getvalue(), err.getvalue())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs `good`, `bad` (negated, and a new cell), `partial`; baseline.json accepted from `good`."""
    root = tmp_path_factory.mktemp("gate")
    cell = FakeCell(some_scores(20, 20))
    cell.write(root / "good")
    cell.but(scores=-cell.scores).write(root / "bad")
    cell.but(dataset="a,new:one").write(root / "bad")
    cell.but(partial={"limit": 20}).write(root / "partial")
    done = rerankbench("accept", "--run", root / "good", "--baseline", root / "baseline.json", "--reason", "start")
    assert done.returncode == 0, done.stderr
    assert "accepted 1 cells" in done.stdout
    return root


def test_passes(folder: Path) -> None:
    before = (folder / "baseline.json").read_bytes()
    done = rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "good")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("passed: 1 OK (judge: significance")
    assert (folder / "baseline.json").read_bytes() == before


def test_fails_with_everything_ci_shows(folder: Path) -> None:
    junit, markdown = folder / "junit.xml", folder / "summary.md"
    files = ("--junit", junit, "--markdown", markdown, "--github", "--json")
    done = rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "bad", *files)
    assert done.returncode == 1
    body = json.loads(done.stdout)
    assert [(c["key"], c["status"], c["failed"]) for c in body["cells"]] == [
        ("a,new:one/small/L4", "NEW", False),
        ("toy/small/L4", "FAIL", True),
    ]
    notice, error = done.stderr.splitlines()
    assert notice.startswith("::notice title=NEW a%2Cnew%3Aone/small/L4::not in the baseline")
    assert error.startswith("::error title=FAIL toy/small/L4::nDCG@10 fell by")
    assert "90 %25 interval" in error
    suite = ET.parse(junit).getroot()
    assert suite.attrib == {"name": "rerankbench check", "tests": "2", "failures": "1"}
    failure = suite.find("testcase[@name='toy/small/L4']/failure")
    assert failure is not None
    assert failure.attrib["type"] == "FAIL"
    assert failure.attrib["message"].startswith("nDCG@10 fell by")
    text = markdown.read_text()
    assert text.startswith("### Regression check: failed ❌")
    assert "| ❌ FAIL | `toy/small/L4` | nDCG@10 |" in text
    assert "| 🆕 NEW | `a,new:one/small/L4` |" in text


def test_markdown_is_appended_like_a_step_summary(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "summary.md"
    file.write_text("before\n")
    rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "good", "--markdown", file)
    assert file.read_text().startswith("before\n### Regression check: passed ✅")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("check", "--run", "good", "--baseline", "none.json"), "no such baseline"),
        (("check", "--run", "none", "--baseline", "baseline.json"), "no such folder"),
        (("check", "--run", "good", "--baseline", "baseline.json", "--policy", "x=1"), "unknown key 'x'"),
        (("check", "--run", "good", "--baseline", "baseline.json", "--junit", "/no/such/x.xml"), "cannot be written"),
        (("accept", "--run", "partial", "--baseline", "new.json", "--reason", "r"), "is partial"),
        (("accept", "--run", "good", "--baseline", "new.json", "--reason", "r", "--tolerance", "a=b"), "=NUMBER"),
    ],
)
def test_unusable_input_is_one_line_and_status_2(folder: Path, words: tuple[str, ...], message: str) -> None:
    paths = {"good", "none", "partial", "baseline.json", "none.json", "new.json"}
    done = rerankbench(*(folder / word if word in paths else word for word in words))
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (folder / "new.json").exists()


def test_a_partial_run_fails_the_check(folder: Path) -> None:
    done = rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "partial")
    assert done.returncode == 1
    assert "PARTIAL toy/small/L4" in done.stdout


def test_junitparser_reads_what_the_gate_says(folder: Path) -> None:
    junitparser = pytest.importorskip("junitparser", reason="a reader of JUnit XML that is not ours")
    path = folder / "junit-of-bad.xml"
    done = rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "bad", "--junit", path)
    assert done.returncode == 1
    parsed = junitparser.JUnitXml.fromfile(str(path))
    suites = [parsed] if isinstance(parsed, junitparser.TestSuite) else list(parsed)
    cases = [case for suite in suites for case in suite]
    failed = [case for case in cases if any(isinstance(result, junitparser.Failure) for result in case.result)]
    assert failed
    assert sum(suite.failures for suite in suites) == len(failed)
    assert sum(suite.tests for suite in suites) == len(cases)


def test_a_commonmark_parser_sees_one_table(folder: Path) -> None:
    """markdown-it-py follows the CommonMark specification, with GitHub's tables."""
    parser = pytest.importorskip("markdown_it", reason="a CommonMark parser that is not ours")
    path = folder / "summary-of-bad.md"
    rerankbench("check", "--baseline", folder / "baseline.json", "--run", folder / "bad", "--markdown", path)
    html = parser.MarkdownIt("commonmark").enable("table").render(path.read_text(encoding="utf-8"))
    assert html.count("<table>") == html.count("</table>") >= 1
    assert "a,new:one" in html
