"""The scheduler on virtual workers that die, hang and refuse; Ray itself is not needed here."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rerankbench.eval.schedule.patience import LEAST, SLOWER, UNKNOWN, Patience
from rerankbench.eval.schedule.schedule import IN_FLIGHT, MAX_LOSSES, Done, Event, Failed, Lost, Refused, Schedule
from rerankbench.eval.schedule.virtual_pool import VirtualPool, predict
from rerankbench.rerankers.errors import InputError, ScoreError

Script = Callable[[int, int], str]  # (worker, block) -> done, die, hang or fail


class FaultyPool(VirtualPool):
    """Workers that do what a script says of each block; notes what was begun and what was handed out."""

    def __init__(self, workers: int, seconds: list[float], script: Script, **options: Any) -> None:
        self.script, self.begun, self.out, self.most_out = script, [], Counter(), 0
        super().__init__(workers, seconds, **options)

    def submit(self, worker: int, job: int) -> None:
        self.begun.append((worker, job))
        self.out[worker] += 1
        self.most_out = max(self.most_out, self.out[worker])
        super().submit(worker, job)

    def retire(self, worker: int) -> None:
        self.out[worker] = 0
        super().retire(worker)

    def wait(self, seconds: float) -> list[Event]:
        events: list[Event] = []
        gone: set[int] = set()
        for event in super().wait(seconds):
            if event.worker in gone or not isinstance(event, Done):
                events += [event] * (event.worker not in gone)
                continue
            fate = self.script(event.worker, event.job)
            self.out[event.worker] -= 1
            if fate == "done":
                events.append(event)
            elif fate == "fail":
                events.append(Failed(event.worker, event.job, "not a number"))
            elif fate == "die":
                gone.add(event.worker)
                self.restart(event.worker)
                events.append(Lost(event.worker, "killed"))
            else:  # nothing comes any more, until it is restarted
                gone.add(event.worker)
                super().retire(event.worker)
        return events


def schedule(
    script: Script, workers: int = 2, seconds: list[float] | None = None, *, retries: int = 2, fixed: float = 1e9
) -> tuple[Schedule, FaultyPool]:
    pool = FaultyPool(workers, seconds or [1.0] * 6, script)
    made = Schedule(pool, Patience(fixed), retries=retries)
    made.start()
    return made, pool


def done(schedule: Schedule, pool: FaultyPool) -> list[int]:
    return [job for _, job, _ in schedule.run(pool.seconds)]


def always(worker: int, job: int) -> str:
    return "done"


def test_longest_first_and_never_more_than_two_per_worker():
    made, pool = schedule(always, 2, [3.0, 1.0, 5.0, 4.0, 2.0, 0.5, 6.0])
    assert sorted(done(made, pool)) == list(range(7))
    assert [job for _, job in pool.begun] == [6, 2, 3, 0, 4, 1, 5]
    assert pool.most_out <= IN_FLIGHT


def test_a_slow_caller_does_not_pile_up_results():
    made, pool = schedule(always, 3, [1.0] * 40)
    taken = 0
    for _ in made.run(pool.seconds):
        taken += 1
        pool.clock += 100.0
        assert len(pool.begun) - taken <= 2 * IN_FLIGHT * 3  # held, or handed over and not looked at yet
    assert taken == 40


def test_a_lost_block_goes_to_another_worker_and_the_one_behind_it_is_not_blamed():
    made, pool = schedule(lambda worker, job: "die" if (worker, job) == (0, 0) else "done", retries=0)
    assert sorted(done(made, pool)) == [1, 2, 3, 4, 5]  # without retries only the block it was at is given up
    assert list(made.failures) == [0]
    made, pool = schedule(lambda worker, job: "die" if worker == 0 and job == 0 else "done")
    assert sorted(done(made, pool)) == list(range(6))
    assert [worker for worker, job in pool.begun if job == 0] == [0, 1]
    assert made.workers[0].restarts == 1


def test_a_block_that_kills_is_given_up_with_its_cause():
    made, pool = schedule(lambda worker, job: "die" if job == 3 else "done")
    assert sorted(done(made, pool)) == [0, 1, 2, 4, 5]
    assert made.failures == {3: "given up after 3 attempts: killed"}


def test_a_block_that_no_worker_can_score_is_not_tried_again():
    made, pool = schedule(lambda worker, job: "fail" if job == 3 else "done")
    assert sorted(done(made, pool)) == [0, 1, 2, 4, 5]
    assert made.failures == {3: "not a number"}
    assert Counter(job for _, job in pool.begun)[3] == 1


def test_a_hanging_worker_is_ended_and_its_block_goes_elsewhere():
    made, pool = schedule(lambda worker, job: "hang" if (worker, job) == (0, 0) else "done", fixed=30.0)
    assert sorted(done(made, pool)) == list(range(6))
    assert made.workers[0].restarts == 1
    assert 30.0 <= pool.now() < 40.0


def test_a_single_worker_gets_its_block_again():
    tried = Counter()

    def once(worker: int, job: int) -> str:
        tried[job] += 1
        return "die" if tried[job] == 1 else "done"

    made, pool = schedule(once, 1, [1.0] * 3)
    assert sorted(done(made, pool)) == [0, 1, 2]


def test_a_worker_that_always_dies_is_left_out():
    made, pool = schedule(lambda worker, job: "die" if worker == 0 else "done", 2, [1.0] * 60, retries=9)
    assert sorted(done(made, pool)) == list(range(60))
    assert made.workers[0].gone
    assert made.workers[0].restarts == MAX_LOSSES


def test_without_workers_the_rest_is_given_up():
    made, pool = schedule(lambda worker, job: "die", 2, [1.0] * 30, retries=99)
    assert done(made, pool) == []
    assert len(made.failures) == 30
    assert all("killed" in cause for cause in made.failures.values())


class Refusing(VirtualPool):
    def wait(self, seconds: float) -> list[Event]:
        return [Refused(event.worker, InputError("no such model")) for event in super().wait(seconds)]


class Absent(VirtualPool):
    def wait(self, seconds: float) -> list[Event]:
        self.clock += seconds
        return []


def test_a_model_that_cannot_be_loaded_is_told():
    with pytest.raises(InputError, match="no such model"):
        Schedule(Refusing(2, []), Patience()).start()


def test_workers_that_never_come_are_not_waited_for_for_ever():
    with pytest.raises(ScoreError, match="did not start within"):
        Schedule(Absent(2, []), Patience()).start()


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5),
    st.lists(st.floats(0.1, 50.0), min_size=1, max_size=40),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.1, 0.4, 0.9]),
)
def test_every_block_ends_exactly_once(workers: int, seconds: list[float], seed: int, share: float):
    fate = random.Random(seed)

    def script(worker: int, job: int) -> str:
        return fate.choice(["die", "hang", "fail"]) if fate.random() < share else "done"

    made, pool = schedule(script, workers, seconds, fixed=100.0)
    finished = done(made, pool)
    assert sorted([*finished, *made.failures]) == list(range(len(seconds)))
    assert pool.most_out <= IN_FLIGHT


def test_patience_follows_the_slowest_block():
    patience = Patience()
    assert patience.seconds(1e12) == UNKNOWN
    patience.assume(1 / 1e9)
    assert patience.seconds(1e13) == pytest.approx(1e4)
    patience.observe(1e12, 20.0)
    patience.observe(1e12, 10.0)
    assert patience.seconds(1e12) == pytest.approx(SLOWER * 20.0)
    assert patience.seconds(1e9) == LEAST
    assert Patience(5.0).seconds(1e15) == 5.0


def test_prediction():
    assert predict([2.0] * 8, 4) == 4.0
    assert predict([], 4) == 0.0
    assert predict([2.0] * 8, 4, load_seconds=10.0) == 14.0
    assert predict([0.001] * 100, 50, store_seconds=1.0) == pytest.approx(100.0, abs=1.0)  # the driver is the limit
    assert predict([1.0, 1.0, 1.0, 3.0], 2) == 3.0  # longest first
