"""A small synthetic run: the tables, tiles and pictures of a finished one, made without a model.

`sd_unet_run()` has the 51 convolutions of an SD-UNet at 160 x 160, `small_run()` a handful of taps with every
edge case in them. The pictures are scikit-image's photographs, the maps are blurs and edges of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import run_analyses
from scipy import ndimage
from skimage import data, transform

from fmreport import columns, manifest
from fmreport.blocks import blocks
from fmreport.facts import Facts, FileFact, Platform, ProbeFact, Repository
from fmreport.inventory import inventory_table, layers_table
from fmreport.records import (
    ATTRIBUTION,
    Column,
    Layer,
    ReceptiveField,
    Tap,
    Tiles,
    Work,
)

PHOTOGRAPHS: dict[str, Callable[[], Any]] = {
    "cat": data.chelsea,
    "astronaut": data.astronaut,
    "coffee": data.coffee,
    "rocket": data.rocket,
}
HOSTILE = '<script>alert("x")</script> #set $a$ @b *c* _d_ `e` \\f "g" \u202eRTL שלום 🐈 ' + "very_long_name" * 20


@dataclass
class SyntheticRun:
    """Looks like `fmreport.store.Run`."""

    facts: Facts
    layers: pd.DataFrame
    samples: pd.DataFrame
    channels: pd.DataFrame
    histograms: pd.DataFrame
    summary: pd.DataFrame
    inventory: pd.DataFrame
    blocks: pd.DataFrame
    all_tiles: dict[str, Tiles]
    all_pictures: dict[str, np.ndarray]
    all_masks: dict[str, np.ndarray]
    analyses: dict[str, pd.DataFrame]
    controls: pd.DataFrame
    attribution: pd.DataFrame = field(default_factory=pd.DataFrame)
    all_attributed: dict[str, Tiles] = field(default_factory=dict)
    columns: dict[str, dict[str, Column]] = field(default_factory=columns.described)

    @property
    def record(self) -> bytes:
        """The manifest, with a table and a map for outputs."""
        outputs = {"maps/0001.npz": "0a" * 32, "tables/layers.csv": "0b" * 32}
        return manifest.written(self.facts, {path: FileFact("", 1, sha256) for path, sha256 in outputs.items()})

    def table(self, name: str) -> pd.DataFrame:
        """One of its tables."""
        return self.analyses[name] if name in self.analyses else getattr(self, name)

    def samples_of(self, names: Sequence[str]) -> pd.DataFrame:
        """Columns of the table samples."""
        return self.samples[[name for name in names if name in self.samples]]

    def names(self, table: str) -> list[str]:
        """The columns of one of its tables."""
        return list(self.table(table).columns)

    def tiles(self, tap: str) -> Tiles | None:
        """The maps of one tap, or None where it has no map."""
        return self.all_tiles.get(tap)

    def attributed(self, tap: str) -> Tiles | None:
        """The attribution of one tap, or None where it has none."""
        return self.all_attributed.get(tap)

    def pictures(self) -> dict[str, np.ndarray]:
        """Every displayed probe, (h, w, 3) uint8."""
        return self.all_pictures

    def masks(self) -> dict[str, np.ndarray]:
        """The masks of the displayed probes that have one, (h, w) uint8: 0, 1, 255."""
        return self.all_masks


@dataclass(frozen=True)
class TapSpec:
    """What to make up for one tap."""

    name: str
    type: str
    shape: tuple[int, ...]
    kind: str = "signed"
    """signed, relu, silent or nan"""
    blur: float = 1.0


@cache
def sd_unet_run(*, shown: int = 32, tile: int = 80) -> SyntheticRun:
    """51 convolutions, 4 photographs, `shown` channels each in tiles of at most `tile` pixels."""
    return make_run(_sd_unet_taps(), shown=shown, tile=tile)


@cache
def small_run() -> SyntheticRun:
    """Seven taps: vectors, tokens, one channel, all silent, NaN and Inf, a rectified map and a hostile name."""
    specs = [
        TapSpec("stem/conv", "Conv2D", (24, 24, 6), "signed", 0.5),
        TapSpec("stem/relu", "ReLU", (24, 24, 6), "relu", 0.5),
        TapSpec("one", "Conv2D", (12, 18, 1), "signed"),
        TapSpec("dead", "ReLU", (6, 6, 4), "silent"),
        TapSpec("broken", "Conv2D", (6, 6, 4), "nan"),
        TapSpec("tokens", "Dense", (49, 8), "signed"),
        TapSpec("head", "Dense", (10,), "signed"),
        TapSpec(HOSTILE, "Conv2D", (3, 3, 2), "signed"),
    ]
    run = make_run(specs, shown=4, tile=16, probes=("cat", "coffee"))
    notes = (
        "probes/broken.jpg was skipped: truncated after 312 bytes.",
        "broken: 12 values are NaN and 3 are infinite; they are left out of every number.",
    )
    run.facts = replace(run.facts, notes=notes)
    return run


def with_target(run: SyntheticRun) -> SyntheticRun:
    """The same run of a config with a target: its first map has no gradient, its second two maps of every kind."""
    first, *others = run.all_tiles
    probes = run.facts.displayed
    rng = np.random.default_rng(4)
    made = {}
    rows = []
    for tap in run.layers["tap"]:
        reason = "no gradient comes back to it" if tap == first else "it is no map of rows and columns"
        if tap in others:
            grid, reason = run.all_tiles[tap].grid, ""
            values = rng.integers(0, 256, (len(probes), 2, *np.minimum(grid, 16))).astype(np.uint8)
            values[:, :, 0, 0] = 255
            high = np.full(values.shape[:2], 0.125, np.float32)
            high[0] = values[0] = 0
            made[tap] = Tiles(tap, probes, np.arange(2), np.ones(2, bool), values, 0 * high, high, grid)
        for i, probe in enumerate(probes):
            found = (np.nan,) * 4 if reason else (0.0, 0.0, 1.0, 0.0) if i == 0 else (0.125, 0.125, 1.0, 0.5)
            rows.append((tap, probe, i, 0.25 + i, *found, reason))
    table = pd.DataFrame(rows, columns=[column.name for column in ATTRIBUTION])
    sentence = "class 0 of head/conv"
    facts = replace(run.facts, target=sentence, score=f"{sentence}, mean over its positions")
    told = run_analyses.analyses(list(run.all_tiles), len(probes), predicted=True)
    return replace(run, facts=facts, attribution=table, all_attributed=made, analyses=told)


def with_facets(run: SyntheticRun, names: Sequence[str] = ("day", HOSTILE, "few")) -> SyntheticRun:
    """The same run of probes in groups, the first of which differs."""
    told = run_analyses.facets(list(run.layers["tap"]), names)
    return replace(run, analyses={**run.analyses, "facets": told})


def _sd_unet_taps(size: int = 160, width: int = 32) -> list[TapSpec]:
    specs: list[TapSpec] = []

    def conv(name: str, side: int, channels: int) -> None:
        depth = len(specs) / 51
        blur = 0.3 + 3 * depth * side / size
        specs.append(TapSpec(f"{name}/conv", "Conv2D", (side, side, channels), "signed", blur))

    def attention(name: str, side: int, channels: int) -> None:
        for part in ("main1", "main2"):
            conv(f"{name}/{part}", side, channels)
        for part in ("attention1", "attention2"):
            conv(f"{name}/{part}", side // 2, channels)

    for stage in range(5):
        attention(f"encoder/sa{stage + 1}", size >> stage, width << stage)
        if stage < 4:
            conv(f"encoder/down{stage + 1}", size >> (stage + 1), width << stage)
    bottom = size >> 4
    conv("daspp/pooled", 1, width * 8)
    for rate in (1, 6, 12, 18):
        conv(f"daspp/rate{rate}", bottom, width * 8)
    conv("daspp/project", bottom, width * 8)
    for stage in range(4):
        side, channels = size >> (3 - stage), width << (3 - stage)
        conv(f"decoder/up{stage + 1}", side, channels)
        attention(f"decoder/sa{stage + 1}", side, channels)
    specs.append(TapSpec("head/conv", "Conv2D", (size, size, 3), "relu", 4.0))
    return specs


def make_run(
    specs: list[TapSpec], *, shown: int, tile: int, probes: tuple[str, ...] = tuple(PHOTOGRAPHS)
) -> SyntheticRun:
    """A whole run over made-up taps; the same for the same arguments."""
    rng = np.random.default_rng(2022)
    photographs = {name: _picture(name) for name in probes}
    tiles: dict[str, Tiles] = {}
    tables: dict[str, list[dict[str, Any]]] = {"channels": [], "histograms": [], "summary": []}
    samples: list[dict[str, Any]] = []
    indices: dict[str, int] = {}
    taps: list[Tap] = []
    for order, spec in enumerate(specs, 1):
        indices[spec.type] = indices.get(spec.type, 0) + 1
        maps = _activations(spec, probes, rng, shown, tile)
        if len(spec.shape) == 3:
            tiles[spec.name] = _tiles(spec, maps, probes, shown)
        taps.append(_tap(spec, order, indices[spec.type]))
        tables["summary"].append(_summary_row(spec, maps))
        tables["channels"].extend(_channel_rows(spec, maps))
        tables["histograms"].extend(_histogram_rows(spec.name, maps))
        samples.extend(
            {"probe": probe, "tap": spec.name, "centroid_share": 0.4, **_moments(maps[i])}
            for i, probe in enumerate(probes)
        )
    mask = np.zeros(photographs[probes[0]].shape[:2], np.uint8)
    rows, columns = np.indices(mask.shape)
    mask[((rows - 100) / 85) ** 2 + ((columns - 155) / 120) ** 2 < 1] = 1
    inventory = _inventory(taps)
    return SyntheticRun(
        facts=_facts(probes, photographs, shown, len(specs)),
        layers=layers_table(taps, (160, 160)),
        samples=pd.DataFrame(samples),
        channels=pd.DataFrame(tables["channels"]),
        histograms=pd.DataFrame(tables["histograms"]),
        summary=pd.DataFrame(tables["summary"]),
        inventory=inventory,
        blocks=blocks(inventory),
        all_tiles=tiles,
        all_pictures=photographs,
        all_masks={probes[0]: mask},
        analyses=run_analyses.analyses(list(tiles), len(probes)),
        controls=run_analyses.controls(list(tiles)),
    )


@cache
def _picture(name: str) -> np.ndarray:
    image = PHOTOGRAPHS[name]()[..., :3]
    scale = 320 / max(image.shape[:2])
    size = [round(side * scale) for side in image.shape[:2]]
    made = np.asarray(np.round(transform.resize(image, size, anti_aliasing=True) * 255), np.uint8)
    made.flags.writeable = False  # all runs hold the same
    return made


@cache
def _grey(name: str, grid: tuple[int, int]) -> np.ndarray:
    """A photograph about zero at the size of a map; of hundreds of taps most share theirs."""
    made = transform.resize(_picture(name), (*grid, 3), anti_aliasing=True).astype(np.float32) - 0.5
    made.flags.writeable = False
    return np.asarray(made)


def _activations(spec: TapSpec, probes: tuple[str, ...], rng: np.random.Generator, shown: int, tile: int) -> np.ndarray:
    """(P, K, h, w) activations of the shown channels at the tile's size; a vector is a map of one pixel."""
    grid = (*spec.shape[:-1], 1, 1)[:2]
    if len(spec.shape) == 3:
        factor = max(1, -(-max(grid) // tile))
        grid = (grid[0] // factor, grid[1] // factor)
    count = min(shown, spec.shape[-1])
    mixes = rng.normal(size=(count, 7)) * (1, 0.7, 1.2, 0.9, 0.9, 0.5, 0.08)
    maps = []
    for name in probes:
        grey = _grey(name, grid)
        soft = ndimage.gaussian_filter(grey, (spec.blur, spec.blur, 0))
        wide = ndimage.gaussian_filter(grey, (2 * spec.blur, 2 * spec.blur, 0))
        bank = np.stack(
            [
                *np.moveaxis(soft, -1, 0),
                *(np.moveaxis(soft - wide, -1, 0)[:1] * 4),
                3 * ndimage.sobel(soft.mean(-1), 0),
                3 * ndimage.sobel(soft.mean(-1), 1),
                rng.normal(size=grid),
            ]
        )
        maps.append(np.einsum("kb,bhw->khw", mixes, bank))
    values = np.stack(maps).astype(np.float32)
    if spec.kind == "relu":
        values = np.maximum(values, 0)
    if spec.kind == "silent":
        values[:] = 0
    return values


def _tiles(spec: TapSpec, maps: np.ndarray, probes: tuple[str, ...], shown: int) -> Tiles:
    grid = spec.shape[:2]
    low, high = maps.min((2, 3)), maps.max((2, 3))
    span = np.where(high > low, high - low, 1)[..., None, None]
    values = np.round((maps - low[..., None, None]) / span * 255).clip(0, 255).astype(np.uint8)
    count = maps.shape[1]
    numbers = np.arange(count) if count == spec.shape[-1] else np.linspace(0, spec.shape[-1] - 1, count).astype(int)
    chosen = np.arange(count) < max(1, count - shown // 4) if spec.shape[-1] > shown else np.ones(count, bool)
    if spec.kind == "nan":
        low[0, 0] = high[0, 0] = np.nan
    return Tiles(spec.name, probes, numbers, chosen, values, low, high, (grid[0], grid[1]))


def _tap(spec: TapSpec, order: int, index: int) -> Tap:
    design = spec.kind in ("relu", "silent")
    parameters = 9 * spec.shape[-1] ** 2
    side = 4 * order - 1
    return Tap(
        spec.name,
        spec.name,
        spec.type,
        order,
        index,
        spec.shape,
        "float32",
        parameters,
        parameters,
        "by design" if design else "by chance",
        "Relu clips to zero" if design else "BiasAdd has no zeros",
        work=Work(parameters * 100, 100) if spec.kind != "nan" else None,
        receptive_field=ReceptiveField(
            "exact", "", "", (side, side), (side, side), (1.0, 1.0), (order, order), (0.0, 0.0), (0.0, 0.0)
        ),
    )


def _moments(values: np.ndarray) -> dict[str, Any]:
    flat = values.ravel().astype(np.float64)
    magnitude, square = np.abs(flat).mean(), float(np.sqrt((flat**2).mean()))
    ordered = np.sort(np.abs(flat))
    n = flat.size
    weights = (n - np.arange(1, n + 1) + 0.5) / n
    silent = square == 0
    quantiles = np.quantile(flat, (0.01, 0.25, 0.5, 0.75, 0.99))
    return {
        "finite": n,
        "nan": 0,
        "inf": 0,
        "zero_fraction": float((flat == 0).mean()),
        "mean": float(flat.mean()),
        "std": float(flat.std()),
        "hoyer_limit": np.nan if silent else 1 - magnitude / square,
        "gini": np.nan if silent else float(1 - 2 * (ordered / ordered.sum() * weights).sum()),
        "near_zero_eps": 0.01 * square,
        "near_zero_fraction": float((np.abs(flat) <= 0.01 * square).mean()),
        "minimum": float(flat.min()),
        "maximum": float(flat.max()),
        **dict(zip(("q01", "q25", "q50", "q75", "q99"), map(float, quantiles), strict=True)),
    }


def _summary_row(spec: TapSpec, maps: np.ndarray) -> dict[str, Any]:
    signed = maps.min() < 0 or not maps.any()
    sparseness = np.nan if signed else float(1 - maps.mean() ** 2 / (maps**2).mean())
    flat = np.moveaxis(maps, 1, 0).reshape(maps.shape[1], -1)
    zeros = (flat == 0).mean(1)
    row = {
        "tap": spec.name,
        **_moments(maps),
        "zero_fraction_macro": float(zeros.mean()),
        "population_sparseness": sparseness,
        "lifetime_sparseness": sparseness,
        "silent": int((zeros == 1).sum()),
        "near_silent": int((zeros > 0.99).sum()),
        "always_on": int((zeros == 0).sum()),
        "constant": int((flat.std(1) == 0).sum()),
    }
    if spec.kind == "nan":
        row |= {"nan": 12, "inf": 3, "gini": np.nan, "hoyer_limit": np.nan, "mean": np.nan, "std": np.nan}
    return row


def _channel_rows(spec: TapSpec, maps: np.ndarray) -> list[dict[str, Any]]:
    rows = []
    for channel in range(maps.shape[1]):
        values = maps[:, channel]
        moments = _moments(values)
        zeros = moments["zero_fraction"]
        flags = {"silent": zeros == 1, "near_silent": zeros > 0.99, "always_on": zeros == 0}
        rows.append({"tap": spec.name, "channel": channel, **moments, **flags, "constant": moments["std"] == 0})
    return rows


def _histogram_rows(tap: str, maps: np.ndarray) -> list[dict[str, Any]]:
    """Bins of 3 bits per binary order of magnitude and sign, as the store writes them."""
    flat = maps.ravel().astype(np.float64)
    rows = [{"tap": tap, "low": 0.0, "high": 0.0, "count": int((flat == 0).sum())}]
    for sign in (-1, 1):
        side = flat[flat * sign > 0] * sign
        exponent = np.floor(np.log2(side))
        bins, counts = np.unique(exponent * 8 + np.floor((side / 2**exponent - 1) * 8), return_counts=True)
        for number, count in zip(bins, counts, strict=True):
            edges = [2 ** (step // 8) * (1 + step % 8 / 8) * sign for step in (number, number + 1)]
            rows.append({"tap": tap, "low": min(edges), "high": max(edges), "count": int(count)})
    return [row for row in rows if row["count"]]


def _inventory(taps: list[Tap]) -> pd.DataFrame:
    rows = [
        Layer(
            tap.layer,
            tap.type,
            tap.parameters,
            tap.parameters,
            (tap.name,),
            output=tap,
            own_parameters=tap.parameters,
            own_trainable_parameters=tap.parameters,
            own_work=tap.work,
        )
        for tap in taps
    ]
    missing = [("image", "InputLayer", "an input, not a layer's output"), ("unused", "Dense", "never called")]
    missing.append((f"other/{HOSTILE}", "Lambda", ""))
    return inventory_table([*rows, *(Layer(path, kind, 0, 0, reason=reason) for path, kind, reason in missing)])


def _facts(probes: tuple[str, ...], pictures: dict[str, np.ndarray], shown: int, taps: int) -> Facts:
    return Facts(
        name="sd_unet_pets",
        release="v1",
        title="SD-UNet on Oxford-IIIT Pet",
        config={
            "authors": [{"name": "Ada Example", "orcid": "0000-0002-1825-0097"}, {"name": "Bo Sample"}],
            "abstract": "How the maps of a small segmenter pass from fine detail to mask-like regions, layer by layer.",
            "licence": "CC BY 4.0",
            "model": {"kind": "keras", "path": "models/sd_unet_pets_w8.keras", "inputs": {}},
            "figures": {"channels": shown, "order": "variance", "scale": "channel"},
            "report": {"formats": ["html", "pdf"], "pdf": {"taps": "all"}, "budget_mb": 10},
        },
        model={
            "kind": "keras",
            "source": "models/sd_unet_pets_w8.keras",
            "sha256": "3f" * 32,
            "framework": "keras 3.15.1",
            "parameters": 21_507_171,
        },
        preprocess={
            "size": [160, 160],
            "resize": "stretch",
            "range": [0, 255],
            "sentence": "Each image is stretched to 160 × 160 pixels, bilinear; values are kept at 0 to 255.",
        },
        probes=tuple(
            ProbeFact(name, f"skimage:{name}", f"{i:02x}" * 32, pictures[name].shape[:2], i == 0)  # type: ignore[arg-type]
            for i, name in enumerate(probes)
        ),
        displayed=probes,
        channel_rule=f"The {shown} channels with the largest variance over 40 images that are not shown.",
        versions={"fmreport": "0.1.0", "keras": "3.15.1", "numpy": np.__version__, "tensorflow": "2.21.0"},
        measures={"outliers": 1},
        notes=(),
        date="2026-11-21",
        command="fmreport run sd_unet_pets.yaml",
        platform=Platform("Linux x86_64", ("AVX2", "FMA3"), (), {"git": "v2.21.0"}, {"op_determinism": "on"}),
        repository=Repository("5e" * 20, dirty=False),
        licences={"report": "CC BY 4.0"},
    )
