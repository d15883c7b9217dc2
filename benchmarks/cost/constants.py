"""The file of constants, and the work and hardware that are reckoned with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.cost.formulas import Hardware, Rates, Work
from benchmarks.cost.sizes import Shape

MODELS = ("SD-UNet 32", "R50x1")
"""Those that are reckoned with; others show what taps and channels do."""
FILE = Path(__file__).parent.parent / "cost.json"
MACHINES = Hardware("two cores each", cores=2, network=1.25e9, storage=2e9)
"""As many machines like the one that was measured as there are workers, one more for the driver, a network of 10 Gbit/s
and a shared disk of 2 GB/s: these two are assumed, not measured."""
PIXELS, BYTES = 500 * 375, 110_000
"""Of an image file, as ImageNet's are in the mean, about."""


@dataclass(frozen=True, slots=True)
class Constants:
    """What `cost.json` holds."""

    hardware: Mapping[str, Any]
    rates: Rates
    models: Mapping[str, Mapping[str, Any]]
    checks: tuple[Mapping[str, Any], ...]

    def work(self, model: str, images: int, *, masks: bool = False, cached: bool = False) -> Work:
        """A measured model, all of its taps, and so many images."""
        it = self.models[model]
        height, width = it["size"]
        taps = tuple(Shape(*shape) for shape in it["taps"])
        return Work(model, images, (height, width), taps, it["predict"], PIXELS, BYTES, masks=masks, cached=cached)


def load(path: Path = FILE) -> Constants:
    """As they were measured last."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return Constants(found["hardware"], Rates(**found["rates"]), found["models"], tuple(found.get("checks", ())))


def save(found: Mapping[str, Any], path: Path = FILE) -> None:
    """Writes the file."""
    path.write_text(_text(found) + "\n", encoding="utf-8")


def _text(found: Any, indent: int = 0) -> str:
    """JSON, with what has no further levels, such as a tap's shape, on one line."""
    nested = isinstance(found, dict) or (isinstance(found, list) and any(isinstance(each, dict) for each in found))
    if not nested:
        return json.dumps(_rounded(found))
    space = " " * (indent + 1)
    if isinstance(found, dict):
        inner = [f"{space}{json.dumps(name)}: {_text(value, indent + 1)}" for name, value in found.items()]
        return "{\n" + ",\n".join(inner) + "\n" + " " * indent + "}"
    inner = [f"{space}{json.dumps(_rounded(each))}" for each in found]
    return "[\n" + ",\n".join(inner) + "\n" + " " * indent + "]"


def _rounded(value: Any) -> Any:
    """Numbers to four digits: they were not measured any better."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value
