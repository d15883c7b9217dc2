"""What must hold of every model whose weights are randomised."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from fmreport.sources import TappableModel

Arrays = dict[str, np.ndarray]


def drawn(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def bits(array: Any) -> bytes:
    """What an array holds, to the last bit."""
    return np.asarray(array).tobytes()


def entries(array: Any) -> bytes:
    """What an array of numbers holds, in whatever order, to the last bit."""
    flat = np.asarray(array).reshape(-1)
    return np.sort(flat.view(f"u{flat.itemsize}")).tobytes()


def kept(held: list[Any]) -> list[bytes]:
    return [bits(each.numpy()) for each in held]


def every_tap(model: TappableModel, size: tuple[int, int], batch: np.ndarray) -> Callable[[], Arrays]:
    """A function of nothing that gives all taps of a batch."""
    taps = model.inventory(size)[1]
    order = [tap.name for tap in taps]
    run = model.tapped(taps, lambda tensors: [tensors[name] for name in order], size=size, batch=len(batch))
    return lambda: dict(zip(order, run(batch), strict=True))


def same(one: Arrays, two: Arrays) -> bool:
    """Whether all values agree to the last bit."""
    return one.keys() == two.keys() and all(bits(one[name]) == bits(two[name]) for name in one)


def check(model: TappableModel, size: tuple[int, int], *, channels: int = 3) -> Arrays:
    """All that holds of a model whose weights are randomised; what the taps hold of seed 1."""
    batch = drawn(2, *size, channels, seed=5)
    run = every_tap(model, size, batch)
    before, listed = run(), model.inventory(size)
    with model.randomised(1):
        inside = run()
        assert same(inside, every_tap(model, size, batch)())
        assert model.inventory(size) == listed
        built = every_tap(model, size, batch)
    assert same(run(), before)
    assert same(built(), before)
    assert not same(inside, before)
    with pytest.raises(ZeroDivisionError):
        fails_inside(model, 2)
    assert same(run(), before)
    with model.randomised(1):
        assert same(run(), inside)
    with model.randomised(2):
        assert not same(run(), inside)
    assert same(run(), before)
    return inside


def fails_inside(model: TappableModel, seed: int) -> None:
    with model.randomised(seed):
        raise ZeroDivisionError
