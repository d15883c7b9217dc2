"""Work on many items in threads, its results in the items' order, so that a model need not wait for its images."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def ordered(work: Callable[[T], R], items: Iterable[T], *, threads: int, ahead: int) -> Generator[R, None, None]:
    """`work` of each item, in their order; at most `threads` at once, and `ahead` results are kept that nobody took.

    What an item raises is raised in its turn. When the iterator is closed, what is under way ends first.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) > ahead:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for each in waiting:
                each.cancel()
