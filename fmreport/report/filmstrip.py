"""The filmstrip for a page: one photograph, one grey map per stage, the mask; the page colours and sizes them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import numpy as np

from fmreport.figures import frames, mosaics, photographs
from fmreport.report import page
from fmreport.report.taps import anchors
from fmreport.store import Run

LONGEST = 320
"""Pixels of the longer side of the photograph."""
SMALL = 0.4
"""Share of the largest picture below which one is shown enlarged, too."""


def filmstrip(run: Run) -> tuple[page.Stage, ...]:
    """The photograph, the stages with their maps, the mask; empty where no map is shown."""
    if not run.facts.displayed or not (found := frames.frames(run)):
        return ()
    height, width = run.facts.preprocess["size"]
    longest = max(height, width, *(side for frame in found for side in frame.grid))
    addresses = anchors(list(run.layers["tap"]))

    def shown(frame: frames.Frame) -> page.Frame:
        across, down = frame.grid[1] / longest, frame.grid[0] / longest
        return page.Frame(
            lines=(_size(*frame.grid), f"tap {frame.position}", f"channel {frame.channel}"),
            href=page.href(addresses[frame.tap]),
            alt=f"{frame.tap}, channel {frame.channel}, {frame.why}: {_size(*frame.grid)}",
            picture=mosaics.stacked(frame.greys[None]),
            kind="signed" if frame.signed else "unsigned",
            across=f"{across:.4g}",
            down=f"{down:.4g}",
            enlarged=max(across, down) < SMALL,
        )

    stages = [
        page.Stage(name, tuple(map(shown, group))) for name, group in groupby(found, key=lambda frame: frame.stage)
    ]
    return tuple(_with_ends(run, stages, across=width / longest, down=height / longest))


def _with_ends(run: Run, stages: list[page.Stage], *, across: float, down: float) -> Iterator[page.Stage]:
    probe = frames.probe_shown(run)
    mask = frames.mask(run, probe)
    height, width = run.facts.preprocess["size"]

    def end(name: str, picture: bytes, kind: str) -> page.Stage:
        lines, alt = (_size(height, width), probe, ""), f"{name} of {probe}"
        return page.Stage(name, (page.Frame(lines, "", alt, picture, kind, f"{across:.4g}", f"{down:.4g}", False),))

    yield end("photograph", photographs.jpeg(frames.photograph(run, probe), LONGEST), "photograph")
    yield from stages
    if mask is not None:
        greys = np.select([mask == 1, mask == 0], [mosaics.GREYS - 1, 0], mosaics.CLEAR).astype(np.uint8)
        yield end("mask", mosaics.stacked(greys[None]), "unsigned")


def _size(height: int, width: int) -> str:
    return f"{height} × {width}"
