"""Entries of an archive to the page of its index."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from urllib.parse import quote

from fmreport.archive import Archive, Entry, Told, readable
from fmreport.index import page
from fmreport.index.sparkline import BOX, line
from fmreport.quantities import QUANTITIES, Quantity
from fmreport.report.page import Fact, TableColumn
from fmreport.report.wording import DASH, are, count, listed, number, percent, plural, rounded

UNFOLDED = 40
"""Runs of a table that is shown with all its rows; of a longer one the models are shown first."""
SHORT = 12
"""Digits of an ID that are shown."""
SHARES = ("silent_channels", "constant_channels", "zeros")
"""Quantities that are shown in percent."""
LARGE = ("parameters", "macs")
"""Quantities that are shown to three digits."""
ORDER = (
    "Releases stand in the order of their dates where every run of a model has one, else by their names, v2 before v10."
)
LINES = (
    "A line runs from the first release of a model to the last, whose value stands beside it; each has a scale of its "
    "own, on which less than 5% of the value is little."
)


def build(archive: Archive) -> page.Page:
    """The page; nothing of it depends on where the archive lies."""
    told = [entry.told for entry in archive.entries if entry.told]
    shown = [q for q in QUANTITIES.values() if any(each.numbers.get(q.name) is not None for each in told)]
    first, last = tuple(_first()), tuple(_last())
    models = archive.models.items()
    return page.Page(
        glance=tuple(_glance(archive, told)),
        columns=(*first, *(TableColumn(q.label, meaning(q), numeric=True) for q in shown), *last),
        first=len(first) - 2,
        box=BOX,
        models=tuple(
            _model(name, entries, shown, f"model-{i}", folded=len(told) > UNFOLDED)
            for i, (name, entries) in enumerate(models, 1)
        ),
        problems=tuple(page.Problem(readable(each.folder), each.problem) for each in archive.problems),
        meanings=tuple(Fact(q.label, meaning(q)) for q in shown),
        notes=tuple(_notes(told, shown)),
        runs=plural(len(told), "run"),
    )


def _first() -> Iterator[TableColumn]:
    yield TableColumn("#", "position among the releases of the model", numeric=True)
    yield TableColumn("run", "release of the model; links to its report", numeric=False)
    yield TableColumn("date", "as the config or SOURCE_DATE_EPOCH gives it", numeric=False)
    yield TableColumn("PDF", "the same report for print", numeric=False)
    yield TableColumn("notes", "what a reader of the report is told to know", numeric=True)


def _last() -> Iterator[TableColumn]:
    yield TableColumn("probes", "images that the model was shown", numeric=True)
    yield TableColumn("title", "of the report", numeric=False)
    yield TableColumn("model", "what was opened, and from where", numeric=False)
    yield TableColumn("framework", "that ran it", numeric=False)
    yield TableColumn("ID", "of the run: two runs of one ID have the same tables", numeric=False)


def _glance(archive: Archive, told: Sequence[Told]) -> Iterator[Fact]:
    yield Fact("runs", count(len(told)))
    yield Fact("models", count(len(archive.models)))
    dates = sorted(each.date for each in told if each.date)
    if dates:
        yield Fact("dates", " to ".join(dict.fromkeys((dates[0], dates[-1]))))
    if archive.problems:
        yield Fact("not read", count(len(archive.problems)))


def _model(name: str, entries: Sequence[Entry], shown: Sequence[Quantity], label: str, *, folded: bool) -> page.Model:
    runs = [(entry, entry.told) for entry in entries if entry.told]
    releases = [told.release for _, told in runs]
    ends = "" if len(runs) == 1 else f", {releases[0]} to {releases[-1]}"
    return page.Model(
        name=name,
        label=label,
        releases=plural(len(runs), "release") + ends,
        count=count(len(runs)),
        trends=tuple(_trend(q, releases, [told.numbers.get(q.name) for _, told in runs]) for q in shown),
        rows=tuple(
            _row(entry, told, shown, position=i, latest=i == len(runs)) for i, (entry, told) in enumerate(runs, 1)
        ),
        folded=folded,
    )


def _trend(quantity: Quantity, releases: Sequence[str], values: Sequence[float | None]) -> page.Trend:
    path, (x, y) = line(values)
    known = [(value, release) for value, release in zip(values, releases, strict=True) if value is not None]
    if not known:
        return page.Trend(DASH, "", "", "", "")
    words = [f"{quantity.label}: {shown_value(quantity.name, known[0][0])} at {known[0][1]}"]
    least, most = min(known, key=lambda each: each[0]), max(known, key=lambda each: each[0])
    ends = (known[0], known[-1])
    words += [f"least {shown_value(quantity.name, least[0])} at {least[1]}"] * (least not in ends)
    words += [f"most {shown_value(quantity.name, most[0])} at {most[1]}"] * (most not in ends)
    words += [f"{shown_value(quantity.name, known[-1][0])} at {known[-1][1]}"]
    return page.Trend(shown_value(quantity.name, values[-1]), path, x, y, ", ".join(words))


def _row(entry: Entry, told: Told, shown: Sequence[Quantity], *, position: int, latest: bool) -> page.Row:
    # The bytes of a name as the file system has them, whatever they spell.
    folder = quote(os.fsencode(entry.folder))
    reports = {name.rpartition(".")[2]: f"{folder}/{name}" for name in told.reports}
    href = reports.get("html", reports.get("pdf", ""))
    run = f"{told.name} {told.release}"
    notes = f"{href}#s-notes" if told.notes and "html" in reports else ""
    cells = (
        page.Cell(told.date or DASH, told.date, numeric=False, reason="" if told.date else "no date was given"),
        page.Cell("PDF", "PDF", numeric=False, href=reports["pdf"], label=f"PDF of {run}")
        if "pdf" in reports
        else page.Cell(DASH, "", numeric=False, reason="the run has none"),
        page.Cell(count(told.notes), str(told.notes), href=notes, label=f"{plural(told.notes, 'note')} on {run}"),
        *(_number(quantity, told) for quantity in shown),
        page.Cell(count(told.probes), str(told.probes)),
        *(
            page.Cell(text, text, numeric=False, reason=text, kind="words")
            for text in (told.title, told.model, told.framework)
        ),
        page.Cell(told.id[:SHORT], told.id, numeric=False, reason=told.id, kind="code")
        if told.id
        else page.Cell(DASH, "", numeric=False, reason=f"format {told.format} of the manifest has none"),
    )
    searched = (told.name, told.release, told.date, told.title, told.model, told.framework, told.id, entry.folder)
    return page.Row(
        position=str(position),
        name=told.name,
        release=told.release,
        href=href,
        cells=cells,
        search=readable(" ".join(searched)),
        latest=latest,
        noted=bool(told.notes),
    )


def _number(quantity: Quantity, told: Told) -> page.Cell:
    value = told.numbers.get(quantity.name)
    if value is None:
        reason = "undefined in this run" if quantity.name in told.numbers else "not recorded when this run was made"
        return page.Cell(DASH, "", reason=reason)
    exact = count(value) if quantity.unit == "count" else number(value, 6)
    return page.Cell(shown_value(quantity.name, value), repr(value), reason=exact)


def shown_value(name: str, value: float | None) -> str:
    """A key number as a cell shows it."""
    if value is None:
        return DASH
    if name in SHARES:
        return percent(value)
    if name in LARGE:
        return rounded(value)
    return count(value) if QUANTITIES[name].unit == "count" else f"{value:z.3f}".replace("-", "−")


def meaning(quantity: Quantity) -> str:
    """What a quantity of a whole run means, in words."""
    if not quantity.whole:
        return quantity.meaning
    return f"{quantity.meaning}; of a run: {quantity.whole}"


def _notes(told: Sequence[Told], shown: Sequence[Quantity]) -> Iterator[str]:
    yield ORDER
    yield LINES
    without = sum(not each.numbers for each in told)
    if without:
        yield f"{are(without)} without key numbers, as an older fmreport wrote them: fmreport render RUN adds them."
    lacking = [quantity.label for name, quantity in QUANTITIES.items() if quantity not in shown]
    if lacking and without < len(told):
        yield f"No run has a value of: {listed(lacking)}."
