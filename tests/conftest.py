"""What every test shares."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from in_browser import CHROMIUM

# For `benchmarks`, which no installation has; behind all else, so that the fmreport that is installed is tested.
sys.path.append(str(Path(__file__).parent.parent))

# How long an example takes says more of the machine, which is shared, than of the code; and what fails has to fail for
# everyone. `--hypothesis-profile=exploring` draws other examples each time.
settings.register_profile("exploring", parent=settings(), deadline=None)
settings.register_profile("same_for_all", parent=settings(), deadline=None, derandomize=True)
settings.load_profile("same_for_all")

# Tests run in as many processes as there are cores: more threads would only get in each other's way.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# Graphs are made of very many objects that live long: to look through all of them often takes a tenth of the time.
gc.set_threshold(20_000, 20, 20)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no process is left with one at the end; a file's tests stay together."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium, started once for the tests of a file."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if CHROMIUM is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.fixture(scope="module", autouse=True)
def forgotten() -> Iterator[None]:
    """What a file leaves behind is given up: Keras keeps its models until it is told, which fills the memory."""
    yield
    for name in ("keras", "tf_keras"):
        if name in sys.modules:
            sys.modules[name].backend.clear_session()
    gc.collect()
    # What is left, modules above all, need not be gone through at every collection from here on.
    gc.freeze()
