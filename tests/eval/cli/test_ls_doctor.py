"""`table`, `ls` and `doctor` as a person meets them."""

from __future__ import annotations

import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import pytest
import yaml
from in_process import Command
from rerankbench.configs import CONFIGS
from rerankbench.eval.cli import main
from rerankbench.eval.data import list_datasets
from rerankbench.eval.inventory import installation, reach, shipped
from rerankbench.eval.published import list_published
from rerankbench.eval.text.aligned import width
from rerankbench.rerankers.registry import load_spec
from rerankbench.rerankers.spec import ModelSpec, list_models
from table_cells import make_cell, write_cell

KINDS = ("models", "datasets", "experiments", "published", "prompts", "metrics", "retrievers", "tasks", "keys")


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    def call(*arguments: str, columns: int = 90) -> tuple[int, str, str]:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.setattr(sys, "argv", ["rerankbench", *arguments])
        with pytest.raises(SystemExit) as exit_:
            main()
        out, err = capsys.readouterr()
        return int(exit_.value.code or 0), out, err

    return call


@pytest.fixture
def empty_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RERANKBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("columns", [80, 100])
def test_ls_fits_the_terminal(run, kind: str, columns: int) -> None:
    status, out, err = run("ls", kind, columns=columns)
    assert (status, err) == (0, "")
    widest = {"datasets": 103}.get(kind, columns)  # numbers are not broken
    assert max(map(width, out.splitlines())) <= max(columns, widest)


def test_ls_lists_everything(run) -> None:
    names = {
        "models": list_models(),
        "datasets": [info.name for info in list_datasets()],
        "published": list_published(),
        "prompts": list(yaml.safe_load((CONFIGS / "prompts.yaml").read_text(encoding="utf-8"))),
    }
    for kind, expected in names.items():
        _, text, _ = run("ls", kind)
        rows = [line for line in text.splitlines()[1:] if line and not line.startswith(" ")]
        listed = [row.split()[0] for row in rows if not row.split()[0].endswith(":")]  # headings of groups
        listed = [name for name in dict.fromkeys(listed) if name != "NAME"]  # the head of a second block
        assert sorted(listed) == sorted(expected) if kind == "models" else listed == expected
        assert [item["name"] for item in json.loads(run("ls", kind, "--json")[1])] == expected


def test_ls_says_what_is_known() -> None:
    models = {item["name"]: item for item in shipped.models()}
    assert models["all-minilm-l6-v2"]["settings"] == "L1 to L6"
    assert models["bge-reranker-v2-m3"]["settings"] == "full"
    assert models["bge-reranker-v2-m3"]["license"] == "apache-2.0"
    datasets = {item["name"]: item for item in shipped.datasets()}
    assert datasets["beir/cqadupstack/tex"]["group"] == "cqadupstack"
    assert datasets["beir/arguana"]["remove_identical_ids"] is True


def test_models_stand_below_their_family(run) -> None:
    under: dict[str, list[str]] = {}
    family = ""
    for line in run("ls", "models", columns=100)[1].splitlines()[1:]:
        first = line.split(" ")[0]
        if first.endswith(":"):
            family = first[:-1]
            assert family not in under
        elif first:
            under.setdefault(family, []).append(first)
    specs = [load_spec(name) for name in list_models()]
    assert {n: sorted(m) for n, m in under.items()} == {n: [s.name for s in specs if s.family == n] for n in under}
    assert under["cross-encoder"][0] == "ms-marco-tinybert-l2-v2"  # the smallest
    assert set(under) == {spec.family for spec in specs}


def test_a_model_shows_its_licence_length_and_pin(run) -> None:
    lines = run("ls", "models", columns=120)[1].splitlines()
    place = next(i for i, line in enumerate(lines) if line.startswith("bge-reranker-v2-m3"))
    assert lines[place].split() == ["bge-reranker-v2-m3", "512", "568", "M", "full"]
    assert lines[place + 1].strip().startswith("apache-2.0; Multilingual")
    for spec in map(load_spec, list_models()):
        place = next(i for i, line in enumerate(lines) if line.split(" ")[0] == spec.name)
        assert ("unpinned" in lines[place + 1]) == (spec.revision is None and ":" not in spec.source)


def test_settings_of_layerwise_models() -> None:
    gemma2 = {
        "model_type": "cost_wise_gemma",
        "layer_wise": True,
        "start_layer": 8,
        "num_hidden_layers": 42,
        "hidden_size": 64,
        "num_attention_heads": 4,
        "intermediate_size": 64,
        "vocab_size": 100,
        "query_pre_attn_scalar": 16,
        "max_position_embeddings": 64,
    }
    spec = ModelSpec("tiny", "lightweight", "nowhere", config=gemma2)
    assert shipped.settings_of(spec) == "L8 to L42, rN@layers"


def test_ls_counts_a_shared_archive_once(run) -> None:
    _, text, _ = run("ls", "datasets", columns=100)
    forums = [line for line in text.splitlines() if "cqadupstack" in line]
    assert sum("5.34 GB" in line for line in forums) == 1
    assert sum("with it" in line for line in forums) == 11


def test_ls_of_nothing(run) -> None:
    status, out, err = run("ls", "model")
    assert (status, out) == (2, "")
    assert "did you mean 'models'?" in err
    assert err.count("\n") == 1


def test_doctor_offline_asks_nobody(run, empty_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a server was asked")

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    status, out, err = run("doctor", "--offline", columns=80)
    assert (status, err) == (0, "")
    for title in ("Versions", "Devices", "Folders", "Servers", "Models", "Datasets", "Extras", "Problems"):
        assert f"{title}\n" in out
    assert metadata.version("torch") in out
    assert "not asked" in out
    # names of servers, repositories and folders are not broken
    assert max(width(line) for line in out.splitlines() if "/" not in line) <= 80
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert json.loads(run("doctor", "--json")[1])["hosts"][0]["answer"] == "not asked"


def test_doctor_json_has_every_part(run, empty_home: Path) -> None:
    found = json.loads(run("doctor", "--offline", "--json")[1])
    assert found["versions"]["rerankbench"] == metadata.version("rerankbench")
    assert found["versions"]["pytrec-eval-terrier"]
    assert found["devices"][-1]["kind"] == "cpu"
    assert {item["name"] for item in found["models"]} == set(list_models())
    assert {item["name"] for item in found["datasets"]} == {info.name for info in list_datasets()}
    assert all(item["state"] == "here" for item in found["datasets"] if item["name"].startswith("builtin/"))


def test_a_silent_server_does_not_hold_doctor_up(monkeypatch: pytest.MonkeyPatch) -> None:
    released = threading.Event()

    def silent(*_: object, **__: object) -> None:
        released.wait(10)
        raise OSError("too late")

    monkeypatch.setattr(reach, "_SECONDS", 0.2)
    monkeypatch.setattr("urllib.request.urlopen", silent)
    started = time.monotonic()
    hosts = reach.hosts(ask=True)
    assert time.monotonic() - started < 2
    assert {host.answer for host in hosts} == {"no answer within 0.2 s"}
    assert {item.state for item in reach.models(hosts[0]) if "package" not in item.detail} <= {"unreachable", "here"}
    released.set()


@pytest.mark.parametrize(
    ("status", "answer"),
    [(200, "reachable"), (405, "reachable"), (403, "answers with status 403"), (503, "answers with status 503")],
)
def test_what_a_server_answers(status: int, answer: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    answers: dict[str, str] = {}
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        reach._try_hosts(url, answers)
        thread.join()
    assert answers == {url: answer}
    reach._try_hosts(url, answers)  # nobody listens any more
    assert answers[url].startswith("not reachable: ")


def test_a_dataset_in_the_archive_folder_is_here(empty_home: Path) -> None:
    (empty_home / "cache" / "archives" / "scifact" / "scifact").mkdir(parents=True)
    host = reach.Host("", "", "reachable")
    states = {item.name: item.state for item in reach.datasets(host, host)}
    assert states["beir/scifact"] == "here"
    assert states["builtin/en"] == "here"


def test_a_model_in_the_hub_cache_is_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commit = "0123456789" * 4
    snapshot = tmp_path / "models--owner--model" / "snapshots" / commit
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}", encoding="utf-8")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    hub = reach.Host("", "", "reachable")
    spec = ModelSpec("model", "cross-encoder", "owner/model", revision=commit)
    assert reach._find_model(spec, hub).state == "needs download"  # the weights are missing
    (snapshot / "model.safetensors").write_bytes(b"")
    assert reach._find_model(spec, hub).state == "here"


def test_problems_and_remarks(tmp_path: Path) -> None:
    folder = installation.Folder("models", str(tmp_path), "HF_HOME", True, False, 10**9)
    lines = installation.problems({"python": "3", "bm25s": None}, [folder])
    assert lines[0] == "package bm25s is not installed"
    assert "set HF_HOME" in lines[1]
    assert "1.0 GB free" in installation.remarks([folder])[0]


def test_every_extra_is_described() -> None:
    tomllib = pytest.importorskip("tomllib", reason="Python 3.10 reads no TOML")
    project = tomllib.loads((CONFIGS.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {extra.name for extra in installation.extras()} == set(project["optional-dependencies"])


def test_table_command(run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write_cell(make_cell("beir/scifact", 0.5, f"model-{name}", root=tmp_path / name, partial={"limit": 3}))
    status, out, err = run("table", str(tmp_path / "one"), str(tmp_path / "two"), "--format", "md")
    assert (status, err) == (0, "")
    assert r"| model-two full | 50.00\* |" in out
    (cell,) = json.loads(run("table", str(tmp_path / "one"), "--format", "json")[1])
    keys = "dataset model setting metrics flops partial manifest identity counts"
    assert set(keys.split()) <= set(cell)
    assert Path(cell["manifest"]).is_file()
    target = tmp_path / "table.html"
    assert run("table", str(tmp_path / "one"), "--format", "html", "--output", str(target))[:2] == (0, "")
    assert target.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert not list(tmp_path.glob("*.tmp"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such folder"),
        (["{run}", "--published", "beir"], "published table 'beir' is unknown"),
        (["{run}", "--metric", "P@1"], "no cell has the metric 'P@1'"),
        (["{run}", "--output", "{run}/no/file"], "cannot be written"),
    ],
)
def test_table_refuses_in_one_line(run, tmp_path: Path, arguments: list[str], message: str) -> None:
    write_cell(make_cell("a", 0.5, root=tmp_path / "run"))
    status, out, err = run("table", *(a.replace("{run}", str(tmp_path / "run")) for a in arguments))
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_ls_alone_lists_what_there_is(command: Command) -> None:
    status, out, _ = command("ls")
    assert status == 0
    kinds = dict(line.removeprefix("rerankbench ls ").split() for line in out.splitlines())
    assert int(kinds["models"]) == len(json.loads(command("ls", "models", "--json")[1]))
    assert {"datasets", "experiments", "metrics"} < set(kinds)
