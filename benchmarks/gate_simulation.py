"""How often the gate fails on equal, worse and broken runs: prints the tables that docs/regression-gate.md quotes.

The verdicts are the gate's own (`judge=significance`, default policy), of differences by query that are drawn here:

- equal runs: noise of mean zero with standard deviation 0.15 in every query, symmetric, skewed or discrete;
- one baseline: it has noise of its own, which stays while runs come and go;
- worse runs: half of the queries do not change, the others change by a normal amount with standard deviation 0.2,
  shifted so that the mean over all queries falls by the given drop;
- broken runs: every query falls to zero, in one cell of many and in all.

    python benchmarks/gate_simulation.py
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from rerankbench.eval.gate.baseline import GatePolicy
from rerankbench.eval.gate.quality import DropTest, MetricCheck, correct, metric_findings
from rerankbench.eval.metrics.drop_test import drop_p_value, smallest_p_value

POLICY = GatePolicy()
DEVIATION, ACCEPTED = 0.15, 0.5
SHAPES = ((1, 50), (1, 300), (13, 50))  # datasets, queries of each
Noise = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


def centred(draw: Noise, mean: float, deviation: float) -> Noise:
    """The noise with mean 0 and standard deviation 1."""
    return lambda rng, shape: (draw(rng, shape) - mean) / deviation


def sparse(noise: Noise) -> Noise:
    """Half of the queries without any."""
    return lambda rng, shape: np.where(rng.random(shape) < 0.5, noise(rng, shape), 0.0) * np.sqrt(2)


NORMAL = centred(lambda rng, shape: rng.normal(size=shape), 0, 1)
EXPONENTIAL = centred(lambda rng, shape: rng.exponential(size=shape), 1, 1)
LOGNORMAL = centred(lambda rng, shape: rng.lognormal(size=shape), float(np.exp(0.5)), float(np.sqrt((np.e - 1) * np.e)))
RARE = centred(lambda rng, shape: (rng.random(shape) < 0.07).astype(float), 0.07, float(np.sqrt(0.07 * 0.93)))
NOISES: dict[str, Noise] = {
    "normal": NORMAL,
    "normal, half of the queries": sparse(NORMAL),
    "exponential, rare gains": EXPONENTIAL,
    "exponential, rare losses": lambda rng, shape: -EXPONENTIAL(rng, shape),
    "lognormal, rare gains": LOGNORMAL,
    "lognormal, half of the queries": sparse(LOGNORMAL),
    "one query in 14 gains": RARE,
    "one query in 14 loses": lambda rng, shape: -RARE(rng, shape),
    "discrete: a step up or down": lambda rng, shape: rng.choice([-1.0, 1.0], shape),
    "discrete: 6 % of the queries": lambda rng, shape: rng.choice([-4.0, 0.0, 4.0], shape, p=[0.03, 0.94, 0.03]),
}


def fails(cells: np.ndarray) -> bool:
    """The gate's verdict on differences of shape (datasets, queries): of every cell, and of their mean."""
    checks = [_check(row) for row in (*cells, *([cells.reshape(-1)] if len(cells) > 1 else []))]
    return any(f.level == "FAIL" for check in correct(checks, POLICY.alpha) for f in metric_findings(check, POLICY))


def _check(d: np.ndarray, accepted: float = ACCEPTED) -> MetricCheck:
    wins, losses = int((d > 0).sum()), int((d < 0).sum())
    test = DropTest(float(d.mean()), drop_p_value(d), smallest_p_value(d), wins, d.size - wins - losses, losses)
    return MetricCheck("nDCG@10", accepted, accepted + test.mean, POLICY.tolerance, test)


def share(verdicts: Sequence[bool]) -> str:
    return f"{np.mean(verdicts):.1%}"


def print_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print(f"| {' | '.join(head)} |\n|---|{'---:|' * (len(head) - 1)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print(flush=True)


def false_alarms(rng: np.random.Generator, runs: int = 1000) -> None:
    rows = []
    for name, noise in NOISES.items():
        rates = [share([fails(np.clip(DEVIATION * noise(rng, shape), -1, 1)) for _ in range(runs)]) for shape in SHAPES]
        rows.append([name, *rates])
    print_table(["noise of equal runs", *(f"{d} x {q} queries" for d, q in SHAPES)], rows)


def one_baseline(rng: np.random.Generator, baselines: int = 60, runs: int = 60) -> None:
    rows = []
    for name in ("normal", "exponential, rare gains"):
        noise, rates = NOISES[name], []
        for _ in range(baselines):
            accepted = noise(rng, (1, 50))
            new = (noise(rng, (1, 50)) for _ in range(runs))
            rates.append(np.mean([fails(DEVIATION / np.sqrt(2) * (one - accepted)) for one in new]))
        rows.append([name, f"{np.mean(rates):.1%}", f"{np.median(rates):.1%}", f"{max(rates):.1%}"])
    print_table(["noise of baseline and run", "all baselines", "median baseline", f"luckiest of {baselines}"], rows)


def power(rng: np.random.Generator, runs: int = 400) -> None:
    rows = []
    for drop in (0.005, 0.01, 0.02, 0.04, 0.1):
        for pooled, name in ((1, "one cell"), (13, "13 cells and their mean")):
            rates = []
            for queries in (50, 200, 300):
                change = rng.normal(-2 * drop, 0.2, (runs, pooled, queries))
                d = np.where(rng.random(change.shape) < 0.5, change, 0.0)
                rates.append(share([fails(one) for one in d]))
            rows.append([f"{drop:g}", name, *rates])
    print_table(["mean drop", "run", *(f"{q} queries" for q in (50, 200, 300))], rows)


def collapses() -> None:
    rows = []
    for queries, accepted in ((14, 0.1), (14, 0.5), (50, 0.1), (300, 0.1), (300, 0.5)):
        cells = []
        for count in (1, 10, 100, 1000, 2000):
            broken, noise = _check(np.full(queries, -accepted), accepted), np.random.default_rng(0)
            others = [_check(d) for d in noise.normal(0, DEVIATION, (count - 1, queries))]
            verdicts = [fails_first([broken, *others]), fails_first([broken] * count)]
            cells.append("fails" if all(verdicts) else "PASSES")
        rows.append([f"{queries} queries at {accepted:g}", *cells])
    print_table(["every query falls to 0", *(f"{n:,} cells" for n in (1, 10, 100, 1000, 2000))], rows)


def fails_first(checks: list[MetricCheck]) -> bool:
    """The verdict on the first of some cells."""
    return any(f.level == "FAIL" for f in metric_findings(correct(checks, POLICY.alpha)[0], POLICY))


def main() -> None:
    false_alarms(np.random.default_rng(2026))
    one_baseline(np.random.default_rng(2027))
    power(np.random.default_rng(2028))
    collapses()


if __name__ == "__main__":
    main()
