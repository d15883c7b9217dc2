"""The tables of `docs/scale.md`, from the constants: what was measured, checked, and what runs of many images cost."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from benchmarks.cost.constants import MACHINES, MODELS, Constants
from benchmarks.cost.formulas import Cost, worker_seconds
from benchmarks.cost.simulated import simulate, usual
from benchmarks.cost.sizes import KINDS, by_kind, result_bytes

LARGE = 1_000_000
IMAGES = (10_000, LARGE, 1_000_000_000)
WORKERS = (1, 16, 128, 1024)
HOUR, GB, MB = 3600.0, 1e9, 1e6
MEANINGS = {
    "decode": ("reading and decoding a JPEG file", 1e9, "ns per pixel"),
    "prepare": ("resizing it, edges", 1e9, "ns per pixel of the model's size"),
    "tap": ("measures", 1e3, "ms per tap and image"),
    "element": ("measures", 1e9, "ns per value of a map"),
    "channel": ("measures", 1e6, "µs per channel and image"),
    "open": ("opening a model", 1.0, "s per worker"),
    "trace": ("building the graph of the measures", 1.0, "s per tap and worker"),
    "message": ("a message and its answer", 1e3, "ms per shard"),
    "send_byte": ("a worker hands over its result", 1e9, "ns per byte"),
    "merge_array": ("the driver merges a result", 1e6, "µs per array"),
    "merge_byte": ("the driver merges a result", 1e9, "ns per byte"),
    "row": ("the driver writes `samples`", 1e6, "µs per row"),
    "put_byte": ("the driver writes to the cache", 1e9, "ns per byte"),
    "get_byte": ("the driver reads from the cache", 1e9, "ns per byte"),
    "report": ("analyses, maps and report", 1.0, "s"),
    "report_row": ("analyses of single images", 1e6, "µs per row of `samples`"),
    "row_bytes": ("`samples.parquet`", 1.0, "bytes per row"),
    "fact_bytes": ("`probes.parquet`", 1.0, "bytes per image"),
    "memory_bytes": ("what the driver knows of an image", 1.0, "bytes per image"),
    "portion_bytes": ("what a worker is told of an image", 1.0, "bytes per image"),
    "efficiency": ("of two cores, beside one twice as fast", 1.0, ""),
}
"""Every constant: what takes it, and what it is multiplied by for its unit."""
END = "<!-- cost:end -->\n"


def markdown(columns: Sequence[str], rows: Iterable[Sequence[str]], *, left: int = 1) -> str:
    """A table, its first columns flush left."""
    lines = [columns, ["---" if place < left else "---:" for place in range(len(columns))], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def rates(constants: Constants) -> str:
    """The constants."""
    rows = []
    for name, (what, factor, unit) in MEANINGS.items():
        rows.append((what, f"`{name}`", f"{getattr(constants.rates, name) * factor:,.3g} {unit}".strip()))
    return markdown(("what", "constant", "measured"), rows, left=2)


def models(constants: Constants) -> str:
    """What one image and one shard of each model take."""
    rows = []
    for model in MODELS:
        work = constants.work(model, LARGE)
        each, size = worker_seconds(work, constants.rates), by_kind(work.every, work.part)
        masked = replace(work, masks=True)
        rows.append(
            (
                model,
                f"{len(work.taps)}",
                f"{sum(tap.channels for tap in work.taps):,}",
                *(f"{each[part]:.3f}" for part in ("decoding", "model", "measures")),
                f"{sum(size.values()) / MB:.0f}",
                f"{size['groups'] / sum(size.values()):.0%}",
                f"{sum(by_kind(masked.every, masked.part).values()) / MB:.0f}",
            )
        )
    seconds = ("decoding, s", "model, s", "measures, s")
    sizes = ("shard, MB", "of it sums of groups", "shard with masks, MB")
    return markdown(("model", "taps", "channels", *seconds, *sizes), rows)


def kinds(constants: Constants) -> str:
    """What a shard's result consists of."""
    rows = []
    for kind in KINDS:
        sizes = [by_kind(work.every, work.part)[kind] for work in (constants.work(name, LARGE) for name in MODELS)]
        rows.append((kind, *(f"{size / MB:.2f}" for size in sizes)))
    return markdown(("kind", *(f"{name}, MB" for name in MODELS)), rows)


def checks(constants: Constants) -> str:
    """What was predicted and what was measured."""
    rows = []
    for check in constants.checks:
        predicted, measured = check["predicted"], check["measured"]
        numbers = f"{predicted:.3g}", f"{measured:.3g}", f"{measured / predicted:.2f}", f"{check['load']:.1f}"
        rows.append((check["case"], check["what"], *numbers))
    return markdown(("case", "what", "predicted", "measured", "ratio", "load"), rows, left=2)


def ceilings(constants: Constants) -> str:
    """Images per second that no number of workers exceeds, and how many workers reach each."""
    rows = []
    for model in MODELS:
        for cached in (False, True):
            cost = Cost(constants.work(model, LARGE, cached=cached), MACHINES, constants.rates, 1)
            alone = cost.work.part.images / cost.at.worker
            told = (f"{limit:,.0f} ({limit / alone:,.0f})" for limit in cost.ceilings.values())
            rows.append((model, "yes" if cached else "no", f"{alone:.2f}", *told))
    names = Cost(constants.work(MODELS[0], 1), MACHINES, constants.rates, 1).ceilings
    return markdown(("model", "cache", "one worker", *names), rows, left=2)


def costs(constants: Constants) -> str:
    """Of both models, by images and workers."""
    runs = (
        Cost(constants.work(model, images), MACHINES, constants.rates, workers)
        for model in MODELS
        for images in IMAGES
        for workers in WORKERS
    )
    last = ("hours", "core hours", "bottleneck", "sent, GB", "samples, GB", "probes, GB", "driver's memory, GB")
    return markdown(("model", "images", "workers", *last), map(_cost, runs))


def _cost(cost: Cost) -> tuple[str, ...]:
    sizes = [cost.bytes[name] for name in ("workers to driver", "samples", "probes")] + [sum(cost.memory.values())]
    hours, held = cost.total / HOUR, cost.core_hours
    return (
        cost.work.name,
        f"{cost.work.images:,}",
        f"{cost.workers:,}",
        f"{hours:,.2f}" if hours < 10 else f"{hours:,.0f}",
        f"{held:,.0f}",
        cost.bottleneck,
        *(f"{size / GB:,.1f}" if size < 100 * GB else f"{size / GB:,.0f}" for size in sizes),
    )


def chances(constants: Constants) -> str:
    """What the simulation makes of a million images."""
    rows = []
    for model in MODELS:
        for workers in WORKERS:
            cost = Cost(constants.work(model, LARGE), MACHINES, constants.rates, workers)
            went = simulate(cost.work.shards, workers, cost.at, usual(cost.seconds["starting"]))
            longer, size = went.seconds / cost.seconds["measuring"], result_bytes(cost.work.every, cost.work.part)
            numbers = f"{longer:.2f}", f"{went.deaths}", f"{went.waiting:,}", f"{went.waiting * size / GB:,.1f}"
            rows.append((model, f"{workers:,}", *numbers))
    last = ("seconds, of those of the formula", "deaths", "results that waited at once, at most", "GB")
    return markdown(("model", "workers", *last), rows)


TABLES: dict[str, Callable[[Constants], str]] = {
    "rates": rates,
    "models": models,
    "kinds": kinds,
    "checks": checks,
    "ceilings": ceilings,
    "chances": chances,
    "costs": costs,
}
"""By the names of their places in the page."""


def filled(page: str, constants: Constants) -> str:
    """The page, with its tables made anew: what stands between `<!-- cost:NAME -->` and `<!-- cost:end -->`."""

    def table(found: re.Match[str]) -> str:
        return f"{found[1]}\n{TABLES[found[2]](constants)}\n{END}"

    return re.sub(r"(<!-- cost:(?!end)(\w+) -->\n).*?<!-- cost:end -->\n", table, page, flags=re.DOTALL)
