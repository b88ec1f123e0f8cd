"""What blocks will cost, estimated from texts before they are tokenised. The scheduler starts with the longest."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....rerankers import flops
from ....rerankers.prompting.template import TOKENS_PER_WORD
from ....rerankers.registry import family_of
from ...plan.lengths import WITHOUT_BLANKS
from ..engine import Job, LoadedModel, ScoringTask

_SAMPLE = 100  # passages per dataset whose words are counted


def job_costs(jobs: Sequence[Job], loaded: LoadedModel) -> list[float]:
    """Return reference FLOPs of each block by estimated lengths; tokens where the model's shape is unknown."""
    together: dict[int, list[int]] = {}
    for index, job in enumerate(jobs):
        together.setdefault(id(job.task), []).append(index)
    costs = [0.0] * len(jobs)
    for indices in together.values():
        for index, cost in zip(indices, _task_costs([jobs[i] for i in indices], loaded)):
            costs[index] = cost
    return costs


def _task_costs(jobs: Sequence[Job], loaded: LoadedModel) -> list[float]:
    task = jobs[0].task
    passage = _mean_passage_tokens(jobs)
    costs: list[float] = []
    for job in jobs:
        language = task.dataset.policy.language
        query = np.array([_count_tokens(task.dataset.queries[q], language) for q, _ in job.block.candidates], np.int64)
        docs = np.array([len(docs) for _, docs in job.block.candidates], np.int64)
        costs.append(float(np.sum(docs * _estimate_pair(task, loaded, query, passage))))
    return costs


def _estimate_pair(task: ScoringTask, loaded: LoadedModel, query: np.ndarray, passage: int) -> np.ndarray:
    """Return the cost of a pair, per query."""
    rules, shape = family_of(loaded.spec).text_rules(loaded.spec), loaded.shape
    text = rules.resolve(task.text)
    query = np.minimum(query, text.query_max_length)
    rest = np.minimum(passage, text.max_length - (0 if shape and shape.apart else query))
    if shape is None:
        return query + rest
    prompt = np.full_like(query, rules.count_own_tokens(task.text))
    passages = np.broadcast_to(rest, query.shape).astype(np.int64)
    each = [flops.reference(shape, setting, query, passages, prompt) for setting in task.settings]
    return np.max(np.stack([np.asarray(estimate, dtype=np.float64) for estimate in each]), axis=0)


def _mean_passage_tokens(jobs: Sequence[Job]) -> int:
    """Return the mean over some candidates, taken evenly from all blocks."""
    dataset = jobs[0].task.dataset
    blocks = [job.block for job in jobs[:: max(1, len(jobs) // 10)]]
    docs = [doc for block in blocks for _, docs in block.candidates for doc in docs]
    texts = dataset.texts(docs[:: max(1, len(docs) // _SAMPLE)])
    return round(sum(_count_tokens(text, dataset.policy.language) for text in texts) / max(len(texts), 1))


def _count_tokens(text: str, language: str) -> int:
    return round(len(text) if language in WITHOUT_BLANKS else len(text.split()) * TOKENS_PER_WORD) + 2
