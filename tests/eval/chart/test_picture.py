"""The picture of quality against cost as a file: what it shows, its formats, and what is refused."""

from __future__ import annotations

import re
import subprocess
import sys
import zlib
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from pareto_cells import CELLS, cell
from rerankbench.eval.chart.drawing import plain_style, style
from rerankbench.eval.chart.picture import draw
from rerankbench.rerankers.errors import InputError

SVG = "{http://www.w3.org/2000/svg}"


def tree(path: Path) -> ElementTree.Element:
    return ElementTree.fromstring(path.read_text(encoding="utf-8"))


def texts(path: Path) -> list[str]:
    return ["".join(node.itertext()) for node in tree(path).iter(f"{SVG}text")]


def test_picture_names_its_axes_settings_and_first_stage(tmp_path: Path) -> None:
    draw(CELLS, tmp_path / "1.svg", dataset="a")
    draw(CELLS, tmp_path / "2.svg", dataset="a")
    written = texts(tmp_path / "1.svg")
    for words in (
        "reference FLOPs per query, log scale",
        "nDCG@10 × 100",
        "L8",
        "L12",
        "full",
        "toy",
        "bm25 first-stage",
    ):
        assert words in written
    assert any(text.endswith("TFLOP") for text in written)
    assert (tmp_path / "1.svg").read_bytes() == (tmp_path / "2.svg").read_bytes()


def test_filled_marks_are_the_frontier_and_stand_by_their_figures(tmp_path: Path) -> None:
    draw(CELLS, tmp_path / "x.svg", dataset="a")
    marks = {}
    for group in tree(tmp_path / "x.svg").iter(f"{SVG}g"):
        if (title := group.find(f"{SVG}title")) is not None:
            x, y = (float(n) for n in re.findall(r"[-\d.]+", group.attrib["transform"]))
            marks[(title.text or "").split("\n")[0]] = ("frontier" in group.attrib["class"], x, y)
    assert {name: mark[0] for name, mark in marks.items()} == {"toy L8": True, "toy L12": False, "toy full": True}
    (_, x8, y8), (_, x12, y12), (_, x, y) = marks["toy L8"], marks["toy L12"], marks["toy full"]
    assert y < y8 < y12  # 50, 40 and 39; y grows downwards
    assert x12 - x8 == pytest.approx(x - x12, abs=0.11)  # each twice the FLOPs of the one before


def test_by_default_the_mean_is_drawn(tmp_path: Path) -> None:
    draw(CELLS, tmp_path / "x.svg")
    assert "mean of 2 datasets" in texts(tmp_path / "x.svg")
    assert "L12" not in texts(tmp_path / "x.svg")  # was not run on b


def test_partial_results_are_named(tmp_path: Path) -> None:
    draw([cell("a", "full", 0.5, 300), cell("a", "L8", 0.9, 100, partial={"limit": 3})], tmp_path / "x.svg")
    assert "Partial (first 3 queries), with a frontier of their own: toy L8." in " ".join(texts(tmp_path / "x.svg"))


def test_labels_hide_no_label(tmp_path: Path) -> None:
    crowd = [cell("a", f"L{i}", 0.4 + 0.002 * (i % 5), 10**13 * (i + 20)) for i in range(1, 13)]
    draw(crowd, tmp_path / "x.svg")
    room, note = [], " ".join(texts(tmp_path / "x.svg")).partition("No room for a name, in the order of cost: ")[2]
    boxes = []
    for node in tree(tmp_path / "x.svg").iter(f"{SVG}text"):
        if re.fullmatch(r"L\d+", node.text or ""):
            x, y, wide = float(node.attrib["x"]), float(node.attrib["y"]), 6.0 * len(node.text or "")
            left = x - {"start": 0, "middle": wide / 2, "end": wide}[node.attrib["text-anchor"]]
            boxes.append((left, left + wide, y - 9, y))
            room.append(node.text)
    assert len(boxes) >= 8
    assert set(room) | set(re.findall(r"toy (L\d+)", note)) == {f"L{i}" for i in range(1, 13)}
    for a, b in combinations(boxes, 2):
        assert a[1] <= b[0] or b[1] <= a[0] or a[3] <= b[2] or b[3] <= a[2]


def test_many_long_names_stay_in_the_picture(tmp_path: Path) -> None:
    many = [cell("a", "full", 0.4 + 0.01 * i, 10 ** (9 + i), model=f"organisation/model-{i}<&>") for i in range(12)]
    draw(many, tmp_path / "x.svg")
    root = tree(tmp_path / "x.svg")
    assert "organisation/model-11<&>" in texts(tmp_path / "x.svg")
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    for node in root.iter(f"{SVG}text"):
        assert 0 <= float(node.attrib["x"]) <= width
        assert 0 <= float(node.attrib["y"]) <= height


def test_style_of_a_file_has_the_colours_of_the_page_and_no_variables() -> None:
    plain, page = plain_style(), style()
    assert "var(" not in plain
    assert "light-dark(" not in plain
    assert set(re.findall(r"#\w+", plain)) - {"#ffffff"} <= set(re.findall(r"#\w+", page))
    assert len(re.findall(r"\.c\d \{ color: #", plain)) == 7


def pixels(png: bytes) -> tuple[int, int, bytes]:
    """Width, height and the filtered scan lines of a PNG."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")
    data, at = b"", 8
    while at < len(png):
        length, kind = int.from_bytes(png[at : at + 4], "big"), png[at + 4 : at + 8]
        data += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += 12 + length
    return width, height, zlib.decompress(data)


def test_png_and_pdf_are_the_svg_converted(tmp_path: Path) -> None:
    pytest.importorskip("vl_convert")
    for suffix in ("svg", "png", "pdf"):
        draw(CELLS, tmp_path / f"x.{suffix}", dataset="a")
    size = tree(tmp_path / "x.svg").attrib
    width, height, lines = pixels((tmp_path / "x.png").read_bytes())
    assert (width, height) == (2 * int(size["width"]), 2 * int(size["height"]))
    assert len(set(lines)) > 20  # not one flat colour
    pdf = (tmp_path / "x.pdf").read_bytes()
    assert pdf.startswith(b"%PDF-")
    box = re.search(rb"/MediaBox\s*\[\s*0 0 ([\d.]+) ([\d.]+)", pdf)
    assert box is not None
    assert float(box[1]) / float(box[2]) == pytest.approx(int(size["width"]) / int(size["height"]), rel=0.01)
    assert len(list(tmp_path.iterdir())) == 3


@pytest.mark.parametrize("suffix", ["png", "pdf"])
def test_another_process_writes_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("vl_convert")
    draw(CELLS, tmp_path / f"1.{suffix}")
    draw(CELLS, tmp_path / "x.svg")
    call = f"svg_to_{suffix}(sys.stdin.read()" + (", scale=2)" if suffix == "png" else ")")
    convert = f"import sys, vl_convert; sys.stdout.buffer.write(vl_convert.{call})"
    svg = (tmp_path / "x.svg").read_bytes()
    other = subprocess.run([sys.executable, "-c", convert], input=svg, stdout=subprocess.PIPE, timeout=60, check=True)
    assert other.stdout == (tmp_path / f"1.{suffix}").read_bytes()


@pytest.mark.parametrize(
    ("name", "dataset", "message"),
    [
        ("x.gif", None, "must end in .svg, .png, .pdf"),
        ("x.svg", "c", "nothing to draw for dataset 'c'"),
    ],
)
def test_what_cannot_be_drawn(tmp_path: Path, name: str, dataset: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(CELLS, tmp_path / name, dataset=dataset)
    assert not list(tmp_path.iterdir())


def test_nothing_counted_and_no_mean(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to draw"):
        draw(CELLS[:1], tmp_path / "x.svg")
    with pytest.raises(InputError, match="give --dataset"):
        draw([cell("a", "L8", 0.4, 100), cell("b", "L12", 0.4, 100)], tmp_path / "x.svg")


def test_without_the_converter_the_extra_is_named_and_svg_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    for suffix in ("png", "pdf"):
        with pytest.raises(InputError, match=r"rerankbench\[plots\]") as refusal:
            draw(CELLS, tmp_path / f"x.{suffix}")
        assert "\n" not in str(refusal.value)
    assert not list(tmp_path.iterdir())
    draw(CELLS, tmp_path / "x.svg")
