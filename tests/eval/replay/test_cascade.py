"""Cascades against transformers, which really runs them, and against plain Python on the files of the run."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eager import decoder_head, trunk
from hypothesis import given
from hypothesis import strategies as st
from in_process import Command
from replay_run import LAYERS, qrels_file, run_file
from rerankbench.eval.metrics.trec import per_query
from rerankbench.eval.replay.cascade import CascadePlan, Options, options
from rerankbench.eval.replay.choice import choose, families_of, frontier
from rerankbench.eval.replay.order import Gains, first_order, values
from rerankbench.eval.replay.pool import CandidatePool, pools
from rerankbench.eval.results import Cell, load_cells
from rerankbench.eval.text.units import parse_flops
from rerankbench.rerankers.errors import InputError
from rerankbench.rerankers.flops import reference, resumed, shared_layers
from rerankbench.rerankers.registry import family_named
from rerankbench.rerankers.settings import Setting
from torch.utils.flop_counter import FlopCounterMode

DEPTHS = [3, 8]
PLACES = {1: 0, 2: 1, LAYERS: 2}  # layers of a setting -> its place in the pool


@pytest.fixture(scope="module")
def cells(root: Path) -> list[Cell]:
    return load_cells([root / "run"])


@pytest.fixture(scope="module")
def pool(cells: list[Cell]) -> CandidatePool:
    return next(pools(cells))


@pytest.fixture(scope="module")
def found(pool: CandidatePool) -> Options:
    return options(pool, "nDCG@10", depths=DEPTHS)


class Runner:
    """Runs a cascade with transformers' BertModel, keeping the states of every text after the last layer it ran."""

    def __init__(self, root: Path) -> None:
        from transformers import AutoTokenizer, BertModel

        self.tokenizer = AutoTokenizer.from_pretrained(root / "encoder")
        self.model = BertModel.from_pretrained(root / "encoder", attn_implementation="eager").eval()
        texts = [json.loads(line) for line in (root / "words/corpus.jsonl").read_text().splitlines()]
        queries = [json.loads(line) for line in (root / "words/queries.jsonl").read_text().splitlines()]
        self.texts = {one["_id"]: one["text"] for one in [*texts, *queries]}

    @torch.inference_mode()
    def run(self, query: str, docs: list[str], stages: list[tuple[int, int]]) -> tuple[list[str], int]:
        """The order that (layers, depth) by stage give, and the FLOPs that PyTorch's counter saw."""
        order, states = list(docs), {}
        with FlopCounterMode(display=False) as counter:
            for layers, depth in stages:
                top = order[:depth]
                scores = {doc: self._score(query, doc, layers, states) for doc in top}
                order = [*sorted(top, key=lambda d: (np.float32(scores[d]), d), reverse=True), *order[depth:]]
        return order, counter.get_total_flops()

    def _score(self, query: str, doc: str, layers: int, states: dict[str, Any]) -> float:
        """Both texts are read for this pair alone, as the reference count has it."""
        one, other = (self._pooled((doc, text), text, layers, states) for text in (query, doc))
        return float(
            torch.nn.functional.normalize(one, dim=-1)[None] @ torch.nn.functional.normalize(other, dim=-1)[:, None]
        )

    def _pooled(self, key: tuple[str, str], text: str, layers: int, states: dict[Any, Any]) -> torch.Tensor:
        if key not in states:
            ids = self.tokenizer(self.texts[text], return_tensors="pt", truncation=False)
            states[key] = 0, self.model.embeddings(ids["input_ids"])
        done, x = states[key]
        for layer in self.model.encoder.layer[done:layers]:
            x = layer(x)
            x = x[0] if isinstance(x, tuple) else x
        states[key] = layers, x
        return x[0].mean(0)


@pytest.mark.parametrize(
    "stages", [[(1, 20), (LAYERS, 8)], [(1, 20), (2, 8), (LAYERS, 3)], [(2, 8), (LAYERS, 3)], [(2, 20)]]
)
def test_really_running_it_costs_and_ranks_the_same(
    root: Path, pool: CandidatePool, found: Options, stages: list[tuple[int, int]]
) -> None:
    plan = found.plans.index(CascadePlan(tuple((PLACES[layers], depth) for layers, depth in stages)))
    runner = Runner(root)
    for row in (0, 7, 23):
        docs = list(pool.docs[row])
        order, flops = runner.run(pool.queries[row], docs, stages)
        assert flops == found.flops[plan, row]
        run = {pool.queries[row]: {doc: -float(rank) for rank, doc in enumerate(order)}}
        value = per_query(run, {pool.queries[row]: pool.qrels[pool.queries[row]]}, ["nDCG@10"])["nDCG@10"]
        assert value[pool.queries[row]] == pytest.approx(found.values[plan, row], abs=1e-9)


def test_values_are_those_of_plain_python_on_the_files(
    root: Path, cells: list[Cell], pool: CandidatePool, found: Options
) -> None:
    runs = {cell.manifest.setting: run_file(cell) for cell in cells}
    names = ["L1", "L2", "full"]
    qrels = qrels_file(root)
    for plan in found.plans:
        if plan.stops:
            continue
        for row in (0, 5, 39):
            query = pool.queries[row]
            order = list(runs["first-stage"].get(query, {}))
            for place, depth in plan.stages:
                scores = runs[names[place]][query] if order else {}
                order = [*sorted(order[:depth], key=lambda d, of=scores: (of[d], d), reverse=True), *order[depth:]]
            grades = qrels[query]
            dcg = sum(max(grades.get(doc, 0), 0) / math.log2(r + 2) for r, doc in enumerate(order[:10]))
            ideal = sum(g / math.log2(r + 2) for r, g in enumerate(sorted(grades.values(), reverse=True)[:10]))
            assert found.values[found.plans.index(plan), row] == pytest.approx(dcg / ideal, abs=1e-12)


def test_early_exits_stop_where_the_gap_is_widest(
    root: Path, cells: list[Cell], pool: CandidatePool, found: Options
) -> None:
    scores = run_file(next(cell for cell in cells if cell.manifest.setting == "L1"))
    gaps = []
    for query in pool.queries:
        top = sorted(scores.get(query, {}).values(), reverse=True)
        gaps.append(top[0] - top[1] if len(top) > 1 else math.inf)
    stages = ((PLACES[1], 20), (PLACES[LAYERS], 8))
    half, whole, first = (
        found.plans.index(p) for p in (CascadePlan(stages, 0.5), CascadePlan(stages), CascadePlan(stages[:1]))
    )
    stopped = np.array(gaps) >= sorted(gaps)[len(gaps) // 2]
    assert (found.flops[half] == np.where(stopped, found.flops[first], found.flops[whole])).all()
    assert (found.values[half] == np.where(stopped, found.values[first], found.values[whole])).all()
    assert 0.4 <= stopped.mean() <= 0.6


def test_the_formula_is_trec_evals(pool: CandidatePool) -> None:
    draw = np.random.default_rng(3)
    for metric in ("nDCG@1", "nDCG@10", "nDCG@1000"):
        order = np.argsort(np.where(pool.present, draw.random(pool.present.shape), 2), axis=1)
        assert Gains(pool, metric)(order) == pytest.approx(values(pool, order, metric), abs=1e-12)
    with pytest.raises(InputError, match="nDCG@k"):
        Gains(pool, "AP")
    assert first_order(pool).shape == pool.present.shape


def test_the_choice_is_the_train_halfs_and_the_figure_the_other_halfs(found: Options) -> None:
    budget = float(found.flops.mean(axis=1).max()) * 0.6
    (choice,) = choose(found, [budget], splits=5, seed=3)
    rng, n = np.random.default_rng(3), found.values.shape[1]
    for name, one in (("single", choice.single), ("depth", choice.depth), ("cascade", choice.cascade)):
        rng = np.random.default_rng(3)
        assert one is not None
        for split in range(5):
            train = np.sort(rng.permutation(n)[: n // 2])
            other = np.setdiff1d(np.arange(n), train)
            allowed = [i for i in families_of(found)[name] if found.flops[i].mean() <= budget]
            allowed.sort(key=lambda i: (-round(found.values[i, train].mean(), 9), found.flops[i].mean()))
            assert one.scores[split] == pytest.approx(100 * found.values[allowed[0], other].mean())


def test_the_frontier_is_what_nothing_beats(found: Options) -> None:
    scores, costs = found.values.mean(axis=1), found.flops.mean(axis=1)
    front = frontier(found)
    for i in front:
        assert not any(scores[j] > scores[i] + 1e-9 and costs[j] <= costs[i] for j in range(len(scores)))
    assert len(front) >= 1
    assert all(any(scores[i] >= s - 1e-9 and costs[i] <= c for i in front) for s, c in zip(scores, costs))


GEMMA = {
    "model_type": "cost_wise_gemma", "layer_wise": True, "start_layer": 2, "num_hidden_layers": 8, "hidden_size": 16,
    "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 6, "intermediate_size": 20, "vocab_size": 37,
    "query_pre_attn_scalar": 6, "max_position_embeddings": 128,
}  # fmt: skip
CUTS = st.sampled_from([2, 4, 5, 8, None])
COMPRESSIONS = st.sampled_from([(1, ()), (2, (3,)), (2, (3, 6)), (4, (3,)), (2, (6,))])


def layer_states(setting: Setting) -> list[Any]:
    """What the tokens went through before each layer that runs."""
    depth = setting.cutoff_layer or 8
    past: list[Any] = []
    found = []
    for layer in range(depth):
        past = [*past, (layer, setting.compress_ratio)] if layer in setting.compress_layers else past
        found.append(tuple(past))
    return found


@given(CUTS, COMPRESSIONS, CUTS, COMPRESSIONS)
def test_only_layers_that_saw_the_same_tokens_are_shared(a: Any, ac: Any, b: Any, bc: Any) -> None:
    shape = family_named("lightweight").shape(GEMMA)
    assert shape is not None
    done, wanted = Setting(a, *ac), Setting(b, *bc)
    both = list(zip(layer_states(done), layer_states(wanted)))
    same = len(list(itertools.takewhile(lambda pair: pair[0] == pair[1], both)))
    layers = shared_layers(shape, done, wanted)
    assert layers == same
    tokens = (np.array([9]), np.array([31]), np.array([5]))
    left = resumed(shape, wanted, layers, *tokens)
    whole = reference(shape, wanted, *tokens)
    assert resumed(shape, wanted, 0, *tokens) == whole
    assert 0 < left <= whole
    if layers == (wanted.cutoff_layer or 8):
        kept = {0: 31}
        for i, _ in enumerate(x for x in wanted.compress_layers if x < layers):
            kept[i + 1] = -(-kept[i] // wanted.compress_ratio)
        assert left == shape.head_per_position * (9 + 5 + kept[max(kept)]) + shape.head_per_pair


LIGHT = [
    Setting(4),
    Setting(8),
    Setting(5, 2, (3,)),
    Setting(8, 2, (3,)),
    Setting(None, 2, (3, 6)),
    Setting(4, 4, (3,)),
]


@pytest.mark.parametrize(("first", "second"), list(itertools.permutations(LIGHT, 2)), ids=lambda s: s.name)
def test_a_second_pass_that_goes_on_from_kept_states_costs_what_is_counted(first: Setting, second: Setting) -> None:
    """A decoder with compression, executed: states after the shared layers are kept, and the second pass goes on."""
    family = family_named("lightweight")
    shape, config = family.shape(GEMMA), family.config(GEMMA)
    assert shape is not None
    shared = shared_layers(shape, first, second)
    for lengths in ((5, 8, 1), (9, 31, 4)):
        with FlopCounterMode(display=False) as whole:
            kept, left = trunk(config, first, torch.randn(sum(lengths), config.hidden), lengths, (0, shared))
            done, _ = trunk(config, first, kept, left, (shared, config.layers))
            decoder_head(config, done)
        with FlopCounterMode(display=False) as more:
            done, _ = trunk(config, second, kept, left, (shared, config.layers))
            decoder_head(config, done)
        tokens = [np.array([length]) for length in lengths]
        assert whole.get_total_flops() == reference(shape, first, *tokens)[0]
        assert more.get_total_flops() == resumed(shape, second, shared, *tokens)[0]


def test_command(root: Path, command: Command) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        return command("cascade", str(root / "run"), *arguments)

    status, text, _ = run("--depths", "3,8", "--budget", "70%", "--budget", "1 MFLOP")
    assert status == 0
    assert "chosen on one half of 40 queries" in text
    assert text.count(" cascade ") == 2
    status, out, _ = run("--json", "--depths", "3", "--splits", "2")
    (record,) = json.loads(out)
    assert len(record["choices"]) == 3
    assert len(record["choices"][0]["single"]["scores"]) == 2
    for wrong in (
        ("--budget", "much"),
        ("--budget", "0"),
        ("--metric", "AP"),
        ("--dataset", "word"),
        ("--depths", "0"),
    ):
        status, out, err = run(*wrong)
        assert (status, out, err.count("\n")) == (2, "", 1)


def test_budgets_are_read() -> None:
    given_as = {"2TFLOP": 2e12, "350 GFLOP": 3.5e11, "2e12": 2e12, "1.5PFLOPs": 1.5e15, "70%": 7.0, "3M": 3e6}
    for text, value in given_as.items():
        assert parse_flops(text, "--budget", 10.0) == pytest.approx(value)
    for text in ("", "T", "-1T", "1 TB", "1e99", "nan", "%"):
        with pytest.raises(InputError, match="expected FLOPs"):
            parse_flops(text, "--budget", 10.0)
