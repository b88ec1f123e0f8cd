"""Money and energy against arithmetic on what a manifest says, and counters against files of the kernel's shape."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from in_process import Command
from replay_run import replay_run
from rerankbench.eval.board.prices import (
    CallPrice,
    Price,
    price_of,
    prices,
    usd_per_million_pairs,
    usd_per_thousand_queries,
)
from rerankbench.eval.hardware.energy import meter
from rerankbench.eval.results import Cell, Cost, ServerUsage, load_cells
from rerankbench.eval.text import units
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.served.api import apis
from table_cells import make_cell

KNOWN = [Price("H100", 2.0, "d", "o", "s"), Price("H100 80GB HBM3", 7.2, "d", "o", "s")]


def cell(device: str, rate: float | None, dataset: str = "a") -> Cell:
    return make_cell(dataset, 0.5, provenance={"device_name": device}, cost=Cost(pairs_per_second=rate))


def test_dollars_are_hours_times_the_price() -> None:
    """1,000 pairs of 10 queries: at 100 pairs a second 10 seconds, at $7.20 an hour 2 cents."""
    cells = [cell("NVIDIA H100 80GB HBM3", 100.0)]
    assert usd_per_million_pairs(cells, KNOWN) == pytest.approx(0.02 * 1000)
    assert usd_per_thousand_queries(cells, KNOWN) == pytest.approx(0.02 / 10 * 1000)
    two = [*cells, cell("NVIDIA H100 PCIe", 50.0, "b")]  # 20 seconds at $2
    assert usd_per_million_pairs(two, KNOWN) == pytest.approx((0.02 + 20 / 3600 * 2) / 2000 * 1e6)


def asked_of(api: str, model: str, unit: str | None, billed: float | None) -> Cell:
    found = make_cell(
        "a", 0.5, cost=Cost(pairs_per_second=100.0, asked=ServerUsage(requests=1, billed=billed, unit=unit))
    )
    found.manifest.identity_parts["reranker"] = {"api": api, "model": model}
    return found


def test_calls_cost_what_is_billed() -> None:
    """10 queries: 20,000 tokens at 5 cents a million are a tenth of a cent."""
    calls = [
        CallPrice("x", "m", "tokens", 0.05, 1e6, "d", "o", "s"),
        CallPrice("y", "any", "credits", 1, 1, "d", "o", "s"),
    ]
    assert usd_per_thousand_queries([asked_of("x", "m", "tokens", 20_000)], calls) == pytest.approx(0.1)
    assert usd_per_million_pairs([asked_of("x", "m", "tokens", 20_000)], calls) == pytest.approx(1.0)
    assert usd_per_thousand_queries([asked_of("y", "whatever", "credits", 0.5)], calls) == pytest.approx(50)
    for other in (
        ("x", "n", "tokens", 1),
        ("z", "m", "tokens", 1),
        ("x", "m", "search units", 1),
        ("x", "m", "tokens", None),
    ):
        assert usd_per_thousand_queries([asked_of(*other)], calls) is None
    hour = Price("", 3.6, "now", "o", "s")  # one's own server, 10 seconds at a tenth of a cent
    assert usd_per_thousand_queries([asked_of("vllm", "m", "tokens", 9)], [hour]) == pytest.approx(1.0)
    assert price_of(asked_of("x", "m", "tokens", 9), [hour, *calls]) == calls[0]


def test_what_is_not_known_is_not_guessed() -> None:
    assert usd_per_million_pairs([cell("NVIDIA H100 PCIe", None)], KNOWN) is None
    assert usd_per_million_pairs([cell("Some CPU", 10.0)], KNOWN) is None
    assert usd_per_million_pairs([cell("NVIDIA H100 PCIe", 9.0), cell("Some CPU", 9.0, "b")], KNOWN) is None
    assert price_of(cell("nvidia h100 80gb hbm3", 1.0), KNOWN) == KNOWN[1]


def test_shipped_prices_are_dated_and_have_a_source() -> None:
    for price in prices():
        date.fromisoformat(price.date)
        assert price.source.startswith("https://")
        if isinstance(price, CallPrice):
            assert price.api in apis()
            assert 0.01 < price.usd_per / price.per * 1e6 < 10_000 or price.unit == "credits"
        else:
            assert 0.1 < price.usd_per_hour < 50


@pytest.mark.parametrize(
    "text",
    [
        "devices: 3",
        "devices: [{name: x}]",
        "{devices: [], calls: [{api: x}]}",
        "{devices: [], calls: 3}",
        "devices: [{name: x, usd_per_hour: -1, date: 'd', offer: o, source: s}]",
    ],
)
def test_a_wrong_price_file_is_one_line(tmp_path: Path, text: str) -> None:
    (tmp_path / "prices.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        prices(tmp_path / "prices.yaml")
    assert "\n" not in str(caught.value)


def test_small_sums_keep_their_digits() -> None:
    assert [units.usd(x) for x in (12.25, 1.0, 0.5, 0.00012345, 1234.5)] == [
        "$12.25", "$1.00", "$0.5", "$0.000123", "$1,234.50"
    ]  # fmt: skip


def test_rapl_counters_add_up_over_packages_and_wrap(tmp_path: Path) -> None:
    zones = [tmp_path / "intel-rapl:0", tmp_path / "intel-rapl:1"]
    for zone in (*zones, tmp_path / "intel-rapl:0:0"):  # the last is a part of the first and would count twice
        zone.mkdir()
        (zone / "max_energy_range_uj").write_text("999999\n")
        (zone / "energy_uj").write_text("900000\n")
    read = meter("cpu", tmp_path)
    assert read is not None
    before = read()
    (zones[0] / "energy_uj").write_text("100000\n")  # wrapped: 200,000 microjoules on
    (zones[1] / "energy_uj").write_text("950000\n")
    (tmp_path / "intel-rapl:0:0" / "energy_uj").write_text("990000\n")
    assert read() - before == pytest.approx(0.25)
    assert meter("cpu", tmp_path / "nothing") is None
    assert meter("a server", tmp_path) is None


def test_a_run_keeps_what_the_counter_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> None:
    from rerankbench.eval.runner import model_run

    ticks = iter(range(0, 10_000, 7))
    monkeypatch.setattr(model_run, "meter", lambda device: lambda: float(next(ticks)))
    replay_run(tmp_path)
    cells = [c for c in load_cells([tmp_path / "run"]) if c.manifest.setting != "first-stage"]
    assert [c.manifest.cost.energy_joules for c in cells] == [21.0] * 3  # three blocks of 16 queries, one pass

    def run(*arguments: str) -> tuple[int, str, str]:
        return command("price", str(tmp_path / "run"), *arguments)

    status, text, _ = run()
    assert (status, "no price" in text, "give --usd-per-hour" in text) == (0, True, True)
    status, out, _ = run("--usd-per-hour", "3.6", "--json")
    row = json.loads(out)[0]
    m = cells[0].manifest
    seconds = m.counts.pairs / (m.cost.pairs_per_second or 0)
    assert row["usd_per_million_pairs"] == pytest.approx(seconds / 3600 * 3.6 / m.counts.pairs * 1e6)
    assert row["joules_per_query"] == pytest.approx(21 / 40)
    for wrong in (("--usd-per-hour", "-1"), ("--usd-per-hour", "1", "--prices", "x.yaml"), ("--prices", "none.yaml")):
        status, out, err = run(*wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)
