"""The committed page is what the YAML says."""

from __future__ import annotations

from pathlib import Path

from rerankbench.configs import CONFIGS, read
from rerankbench.eval.experiment.file import list_experiments
from rerankbench.eval.published import load_published
from rerankbench.eval.tables.reproduce_page import page

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reproduce.md"


def test_page_is_up_to_date():
    made = page()
    again = "run: python -m rerankbench.eval.tables.reproduce_page > docs/reproduce.md"
    assert PAGE.read_text(encoding="utf-8") == made, again


def test_every_table_of_the_card_is_there():
    made = page()
    for name in ("beir-bge-large", "beir-e5-mistral", "miracl-bge-m3"):
        table = load_published(name)
        assert f"## {table.title}\n" in made
        assert f"rerankbench reproduce {name}\n" in made
        assert all(f"| {row} | {values[0]:.{table.decimals}f} |" in made for row, values in table.rows.items())


def test_recipes_name_a_source_or_say_that_they_guess():
    recipes = read(CONFIGS / "recipes.yaml")
    assert set(recipes) - {"card_tables"} <= set(list_experiments())
    made = page()
    for name, rows in recipes.items():
        for row in rows:
            assert row.keys() in ({"what", "source"}, {"what", "note"}), name
            assert row["what"] in made
    assert made.count("**guess**") > 5
    assert all(f"| {name} | " in made for name in ("nfcorpus-top10", "fiqa-bge-large", "beir-bge-large"))
