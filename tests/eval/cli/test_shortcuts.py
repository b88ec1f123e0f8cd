"""What people typed first: it does what they meant, or one line says what to type."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from beir_folder import write_beir
from hypothesis import given
from hypothesis import strategies as st
from in_process import Command
from rerankbench.eval.cli.spelling import respelled
from rerankbench.eval.results import FIRST_STAGE, load_cells
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.registry import find_spec
from rerankbench.rerankers.storage.names import check_name, make_name

_CLASS = """
class Words:
    version = "1"
    def predict(self, pairs):
        return [len(set(query.split()) & set(passage.lower().split())) for query, passage in pairs]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    write_beir(tmp_path / "mein Tee (grün)")
    return tmp_path


def test_candidates_name_and_folders_with_blanks(here: Path, command: Command) -> None:
    lines = "q1 Q0 d3 1 2.5 t\nq1 Q0 d2 2 1.5 t\nq2 Q0 d2 1 1.0 t\n"
    (here / "bm25.trec").write_text(lines)
    status, out, err = command(
        "run", "--dataset", "mein Tee (grün)", "--candidates", "bm25.trec", "--name", "tea", "--format", "md"
    )
    assert status == 0, err
    assert "mein-Tee-grün" in out
    (cell,) = load_cells([here / "results/runs/tea"])
    assert cell.manifest.setting == FIRST_STAGE
    assert cell.run() == {"q1": {"d3": 2.5, "d2": 1.5}, "q2": {"d2": 1.0}}
    assert command("run", "--dataset", "x", "--candidates", "a", "--retriever", "bm25")[0] == 2
    status, _, err = command("run", "quickstart", "--candidates", "bm25.trec")
    assert "--candidates: is for a run without a file" in err


@given(st.text(min_size=1, max_size=40))
def test_whatever_a_folder_is_called_its_name_is_safe_or_refused(text: str) -> None:
    try:
        name = make_name(text)
    except InputError:
        return
    assert check_name(name) == name
    assert make_name(name) == name


def test_a_refused_run_leaves_no_folder(here: Path, command: Command) -> None:
    assert command("run", "--dataset", "absent", "--name", "tea")[0] == 2
    assert not (here / "results/runs/tea").exists()
    assert command("run", "--dataset", "mein Tee", "--name", "tea")[0] == 2
    err = command("run", "--dataset", "mein Tee (grun)", "--name", "tea")[2]
    assert "did you mean 'mein Tee (grün)'?" in err


def test_an_edited_class_of_the_same_version_is_warned_about_and_a_read_only_run_prints(
    here: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "own_words.py").write_text(_CLASS)
    monkeypatch.syspath_prepend(str(here))
    words = ("run", "--model", "own_words:Words", "--dataset", "mein Tee (grün)", "--name", "tea")
    status, table, err = command(*words)
    assert status == 0, err
    assert "its file changed" not in command(*words)[2]
    monkeypatch.setattr("os.access", lambda path, mode: mode != os.W_OK)
    status, again, err = command(*words)
    assert (status, again) == (0, table), err
    assert "cannot be written; its stored results are shown" in err
    status, _, err = command(*words, "--limit", "1", "--out", "results/runs/tea")
    assert status == 2
    assert "does not hold this experiment finished" in err
    monkeypatch.undo()
    monkeypatch.chdir(here)
    (here / "own_words.py").write_text(_CLASS.replace("len(", "-len("))
    status, same, err = command(*words)
    assert (status, same) == (0, table)
    assert err.count("its file changed since its stored results were made, and its version did not") == 1


def test_compare_names_the_folders_and_spares_a_list_against_a_first_stage(here: Path, command: Command) -> None:
    (here / "own_words.py").write_text(_CLASS)
    for name in ("one", "two"):
        assert command("run", "-m", "own_words:Words", "-d", "mein Tee (grün)", "--name", name)[0] == 0
    out = command("compare", "results/runs/one#Words", "results/runs/two#Words", "--worst", "0")[1]
    assert "A: Words@full of results/runs/one\nB: Words@full of results/runs/two\n" in out
    out = command("compare", "results/runs/one#@first-stage", "results/runs/one#Words", "--worst", "0")[1]
    assert "differs" not in out
    assert " of results" not in out


def test_a_pointer_of_git_lfs_is_named(tmp_path: Path, command: Command) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    (tmp_path / "model/model.safetensors").write_text(pointer)
    from rerankbench.rerankers.checkpoint.weight_files import weight_files

    with pytest.raises(InputError, match=r"model.safetensors: is a pointer of Git LFS.*git lfs pull"):
        weight_files(tmp_path / "model")
    (tmp_path / "run.trec").write_text(pointer)
    (tmp_path / "qrels.tsv").write_text("q\td\t1\n")
    err = command("evaluate", str(tmp_path / "run.trec"), "--qrels", str(tmp_path / "qrels.tsv"))[2]
    assert "run.trec: is a pointer of Git LFS" in err
    (tmp_path / "model/config.json").write_text(pointer)
    with pytest.raises(InputError, match=r"config.json: is a pointer of Git LFS"):
        find_spec(str(tmp_path / "model"))


def test_a_bare_causal_model_runs_with_the_name_of_a_template(tmp_path: Path) -> None:
    config = {"model_type": "qwen3", "architectures": ["Qwen3ForCausalLM"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"a causal language model.*--template qwen3-reranker"):
        find_spec(str(tmp_path))
    spec, shipped = find_spec(str(tmp_path), "qwen3-reranker"), find_spec("qwen3-reranker-0.6b")
    assert (spec.family, spec.source, dict(spec.options)) == (shipped.family, str(tmp_path), dict(shipped.options))
    with pytest.raises(InputError, match="a causal language model"):
        find_spec(str(tmp_path), "qwen3-rerank")


def test_import_tells_all_faults_at_once_and_overwrites_what_it_wrote(tmp_path: Path, command: Command) -> None:
    files = {"corpus": "a,b\n1,2\n", "queries": "id,text\nq,tea\n", "qrels": "x,y,z\nq,d,1\n"}
    for name, text in files.items():
        (tmp_path / f"{name}.csv").write_text(text)
    words = ["import-data", str(tmp_path / "out"), *(w for n in files for w in (f"--{n}", str(tmp_path / f"{n}.csv")))]
    status, _, err = command(*words)
    assert status == 2
    assert "--corpus-columns id=NAME,text=NAME" in err
    assert "--qrels-columns query=NAME,doc=NAME,grade=NAME" in err
    words += ["--corpus-columns", "id=a,text=b", "--qrels-columns", "query=x,doc=y,grade=z"]
    (tmp_path / "qrels.csv").write_text("x,y,z\nq,1,1\n")
    assert command(*words)[0] == 0
    assert "replace it with --overwrite" in command(*words)[2]
    (tmp_path / "corpus.csv").write_text("a,b\n1,other\n")
    assert command(*words, "--overwrite")[0] == 0
    assert json.loads((tmp_path / "out/corpus.jsonl").read_text())["text"] == "other"
    (tmp_path / "out/notes.txt").write_text("mine")
    assert "is no imported dataset alone" in command(*words, "--overwrite")[2]
    assert (tmp_path / "out/notes.txt").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["corpus.csv", "out", "qrels.csv", "queries.csv"]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.tsv", "q1\td1\t1\nq1\td2\t0\n"),
        ("a.csv", "qid,docno,label\nq1,d1,1\nq1,d2,0\n"),
        ("a.jsonl", '{"qid": "q1", "docno": "d1", "label": 1}\n{"qid": "q1", "docno": "d2", "label": 0}\n'),
    ],
)
def test_evaluate_takes_the_judgements_that_import_takes(
    tmp_path: Path, command: Command, name: str, text: str
) -> None:
    (tmp_path / "run.trec").write_text("q1 Q0 d2 1 2.0 t\nq1 Q0 d1 2 1.0 t\n")
    (tmp_path / name).write_text(text)
    status, out, err = command(
        "evaluate", str(tmp_path / "run.trec"), "--qrels", str(tmp_path / name), "--metrics", "RR@10"
    )
    assert status == 0, err
    assert "RR@10\tall\t0.5000" in out


def test_one_spelling_of_options() -> None:
    table, compare = {"--out", "-o", "--format"}, {"--json"}
    assert respelled(["d", "--output", "f", "--json"], table) == ["d", "--out", "f", "--format", "json"]
    assert respelled(["--output=f"], table) == ["--out=f"]
    assert respelled(["--format", "json"], compare) == ["--json"]
    assert respelled(["--format=text", "a"], compare) == ["a"]
    with pytest.raises(InputError, match="--format 'md': this command prints text or json"):
        respelled(["--format", "md"], compare)
    assert respelled(["--", "--output", "--format", "json"], table) == ["--", "--output", "--format", "json"]


def test_help_names_no_types_and_the_command_alone_helps(command: Command) -> None:
    status, out, _ = command("table", "--help")
    assert status == 0
    for page in (out, command("run", "--help")[1], command("--help")[1]):
        assert not {"TEXT", "PATH", "INTEGER", "<str>", "<bool>", "<list[Path]>"} & set(page.split())
        assert "1000000000" not in page
    assert "--out" in out
    status, out, err = command()
    assert (status, err) == (0, "")
    assert "Everyday" in out
    assert "Advanced" in out
    assert command("compare", "a", "b", "--format", "xml")[0] == 2


def test_a_shell_completes_datasets_models_and_lists() -> None:
    from rerankbench.eval.cli.names import dataset_names, model_names, starting

    assert dataset_names("beir/sci") == ["beir/scidocs", "beir/scifact"]
    assert "all-minilm-l6-v2" in model_names("all-")
    assert starting(("models", "metrics", "tasks"), "m") == ["models", "metrics"]


def test_transformers_shows_no_progress_bars_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    from rerankbench.rerankers import ModelSpec, load
    from transformers.utils import logging

    folder = Path(__file__).parents[2] / "rerankers/parity/xlmr-s1"
    logging.enable_progress_bar()
    load(ModelSpec("tiny", "sequence-classification", str(folder)), device="cpu", dtype="float32")
    assert "Loading" not in capfd.readouterr().err
    assert logging.is_progress_bar_enabled()
