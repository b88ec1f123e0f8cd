"""Names cannot leave their place, and nothing outside of --out is touched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from attack import cli, on_disk
from conftest import Trial
from hypothesis import given
from hypothesis import strategies as st
from rerankbench.rerankers import InputError
from rerankbench.rerankers.storage.names import check_name

BAD = [
    "", ".", "..", "../../../../x", "a/b", "a\\b", "/etc/x", "a b", "a\tb", "a\nb", "a\0b", "CON", "nul.txt", "LPT1",
    "x" * 101, "a\u202eb", "a\u200bb", "\x1b[31m", ".hidden", "-rf", "end.", "a:b", "a*", "a|b", "<a>", "a@L1", "a#b",
    "::error::x", "\u0301a",
]  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_names_of_rerankers(fresh: Trial, name: str) -> None:
    fresh.write(rerankers=[{"model": str(fresh.folder / "model"), "name": name}])
    before = on_disk(fresh.folder.parent)
    done = fresh.run()
    if name:
        done.refused(str(fresh.experiment))
        assert on_disk(fresh.folder.parent) == before
    else:
        done.refused("name")


@pytest.mark.parametrize("name", ["../x", "a b", "CON", "a\0", "x" * 101])
def test_names_of_experiments(fresh: Trial, name: str) -> None:
    fresh.write(name=name)
    before = on_disk(fresh.folder.parent)
    cli("run", fresh.experiment).refused(str(fresh.experiment), "name")
    assert on_disk(fresh.folder.parent) == before


@pytest.mark.parametrize(("name", "safe"), [("my data", "my-data"), ("x\u202ey", "x-y")])
def test_folders_with_blanks_and_marks_get_safe_names(fresh: Trial, name: str, safe: str) -> None:
    shutil.copytree(fresh.folder / "data", fresh.folder / name)
    shutil.copytree(fresh.folder / "model", fresh.folder / "models" / name)
    fresh.write(datasets=[str(fresh.folder / name)], rerankers=[{"model": str(fresh.folder / "models" / name)}])
    assert fresh.run().status == 0
    assert [path.name for path in (fresh.out / "cells").iterdir()] == [safe]
    assert (fresh.out / "cells" / safe / safe / "full" / "manifest.json").is_file()


@pytest.mark.parametrize("name", ["con", "-x"])
def test_folders_of_datasets_and_models(fresh: Trial, name: str) -> None:
    shutil.copytree(fresh.folder / "data", fresh.folder / name)
    fresh.write(datasets=[str(fresh.folder / name)])
    fresh.run().refused("renaming the folder")
    assert not list(fresh.out.glob("cells/*"))
    shutil.copytree(fresh.folder / "model", fresh.folder / "models" / name)
    fresh.write(rerankers=[{"model": str(fresh.folder / "models" / name)}])
    fresh.run().refused("give it a 'name'")


def test_labels_that_one_folder_would_hold(fresh: Trial) -> None:
    model = str(fresh.folder / "model")
    fresh.write(rerankers=[{"model": model, "name": "Small"}, {"model": model, "name": "small", "max_length": 16}])
    fresh.run().refused("small")


def test_an_imported_run_with_a_blank(fresh: Trial) -> None:
    run = fresh.folder / "my run.trec"
    run.write_text("q1 Q0 d1 1 1.0 x\n")
    fresh.write(first_stage={"run": str(run)})
    fresh.run().refused("renaming the file")


@given(st.text(min_size=1, max_size=120))
def test_a_name_is_one_part_of_a_path_and_one_word(name: str) -> None:
    try:
        check_name(name)
    except InputError:
        return
    assert Path(name).name == name
    assert name.split() == [name]
    assert name.isprintable()
    assert len(name.encode()) <= 100


@pytest.mark.parametrize("out", ["", "  "])
def test_an_empty_out(fresh: Trial, out: str) -> None:
    before = on_disk(fresh.folder.parent)
    cli("run", fresh.experiment, "--out", out, "--overwrite").refused("--out")
    assert on_disk(fresh.folder.parent) == before


@pytest.mark.parametrize("part", ["cells", "scores", "candidates"])
def test_overwrite_of_a_folder_that_no_run_made(fresh: Trial, part: str) -> None:
    mine = fresh.out / part / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    fresh.run("--overwrite").refused(str(fresh.out))
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("part", ["cells", "scores", "candidates", "cells/data", "cells/data/model/full"])
def test_links_in_the_folder_of_a_run(trial: Trial, part: str) -> None:
    elsewhere = trial.folder / "elsewhere"
    (trial.out / part).rename(elsewhere)
    (trial.out / part).symlink_to(elsewhere)
    before = on_disk(elsewhere)
    for more in ([], ["--overwrite"]):
        trial.run(*more).refused(str(trial.out / part), "link")
    assert on_disk(elsewhere) == before


def test_a_link_in_the_place_of_the_lock(fresh: Trial) -> None:
    victim = fresh.folder / "victim"
    victim.write_text("mine")
    fresh.out.mkdir()
    (fresh.out / ".lock").symlink_to(victim)
    assert fresh.run().status == 2
    assert victim.read_text() == "mine"


@pytest.mark.parametrize("command", ["table", "report", "check"])
def test_a_link_in_the_place_of_an_output(trial: Trial, command: str) -> None:
    victim, link = trial.folder / "victim", trial.folder / "link"
    victim.write_text("mine")
    link.symlink_to(victim)
    if command == "check":
        baseline = trial.folder / "b.json"
        cli("accept", "--run", trial.out, "--baseline", baseline, "--reason", "x").well()
        cli("check", "--run", trial.out, "--baseline", baseline, "--junit", link).refused(str(link))
    else:
        cli(command, trial.out, "-o" if command == "report" else "--output", link).refused(str(link))
    assert victim.read_text() == "mine"
    assert link.is_symlink()
