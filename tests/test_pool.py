"""Work in threads: in order, bounded, and with errors in their turn."""

from __future__ import annotations

import threading
import time

import pytest

from fmreport.probes.pool import ordered


def test_results_come_in_the_order_of_the_items_however_long_each_takes() -> None:
    def work(item: int) -> int:
        time.sleep(0.002 * (item % 3))
        return item * item

    assert list(ordered(work, range(50), threads=4, ahead=8)) == [item * item for item in range(50)]


def test_no_more_results_are_kept_than_asked_for() -> None:
    begun: list[int] = []
    made = ordered(lambda item: begun.append(item) or item, range(100), threads=2, ahead=5)
    assert next(made) == 0
    time.sleep(0.05)
    assert len(begun) <= 6
    made.close()
    assert len(begun) <= 6


def test_so_many_at_once_and_no_more() -> None:
    now, most, lock = 0, 0, threading.Lock()

    def work(item: int) -> int:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.005)
        with lock:
            now -= 1
        return item

    assert len(list(ordered(work, range(30), threads=3, ahead=30))) == 30
    assert most == 3


def test_an_error_is_raised_where_its_item_stands() -> None:
    def work(item: int) -> int:
        if item == 3:
            raise ValueError("the fourth")
        return item

    made = ordered(work, range(10), threads=2, ahead=4)
    assert [next(made) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="the fourth"):
        next(made)
