"""Work done one step ahead: while an item is used, the next one is prepared in a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def prefetch(prepare: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
    """Yield each item with what `prepare` made of it, in order.

    An error of `prepare` is raised when its item is due.
    """
    with ThreadPoolExecutor(1, thread_name_prefix="prepare") as pool:
        last = None
        for item in items:
            coming = item, pool.submit(prepare, item)
            if last is not None:
                yield last[0], last[1].result()
            last = coming
        if last is not None:
            yield last[0], last[1].result()
