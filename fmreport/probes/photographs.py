"""The photographs that ship inside scikit-image, without a download."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from fmreport.errors import ProbeError, nearest

PHOTOGRAPHS: dict[str, str] = {
    "astronaut": "astronaut.png",
    "brick": "brick.png",
    "camera": "camera.png",
    "cat": "chelsea.png",
    "cell": "cell.png",
    "chelsea": "chelsea.png",
    "clock": "clock_motion.png",
    "coffee": "coffee.png",
    "coins": "coins.png",
    "grass": "grass.png",
    "gravel": "gravel.png",
    "hubble_deep_field": "hubble_deep_field.jpg",
    "immunohistochemistry": "ihc.png",
    "microaneurysms": "microaneurysms.png",
    "moon": "moon.png",
    "page": "page.png",
    "retina": "retina.jpg",
    "rocket": "rocket.jpg",
    "text": "text.png",
}
"""Name of the function in `skimage.data` (which need not be imported for it): file in the package's data folder."""


@cache
def _folder() -> Path:
    spec = find_spec("skimage")
    if spec is None or not spec.submodule_search_locations:
        raise ProbeError("scikit-image is not installed, which holds the probes of kind skimage", fix="install it")
    return Path(spec.submodule_search_locations[0]) / "data"


def photograph(name: str) -> Path:
    """The file of that photograph, or a `ProbeError` with the nearest names."""
    if name not in PHOTOGRAPHS:
        raise ProbeError(f"scikit-image ships no photograph called {name!r}", fix=nearest(name, PHOTOGRAPHS))
    return _folder() / PHOTOGRAPHS[name]
