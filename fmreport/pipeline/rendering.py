"""The report of a run, from its folder alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from fmreport import (
    environment,
    exports,
    figures,
    numbers,
)
from fmreport.environment import one_thread
from fmreport.extract import Advance
from fmreport.facts import Facts
from fmreport.recording import Unwatched, Watch
from fmreport.report import html, latex, pdf, theme
from fmreport.report.build import build
from fmreport.store import LATEX, Draft, Run, drafting, plain

TEMPLATES = "templates"
"""Folder of a run that keeps the user's own templates, so that the run can be rendered again without them."""
REMADE = ("report.html", "report.pdf", "figures", "manifest.json", *LATEX.values(), *exports.MADE)
"""Files and folders that rendering makes anew; whatever else lies in a run's folder stays."""


def render(folder: Path | str, *, template: Path | None = None, watch: Watch | None = None) -> Run:
    """Makes the report of a run again from its folder alone; `template` takes the place of the run's own templates."""
    # Absolute, because a working directory inside the run is replaced with it.
    source = Run.open(Path(folder).absolute())
    theme.check(template)
    source.check_inputs()
    return rendered_again(source, source.folder, template=template, watch=watch or Unwatched())


def rendered_again(source: Run, destination: Path, *, template: Path | None, watch: Watch) -> Run:
    """The same from a run that stays, into another folder or into its own."""
    with drafting(destination, force=True) as draft:
        for path in plain(source.folder):
            place = path.relative_to(source.folder)
            remade = any(place.is_relative_to(path) for path in REMADE) or (
                template is not None and place.parts[0] == TEMPLATES
            )
            if not remade:
                draft.take(place.as_posix(), path, source.checked(place.as_posix()))
        if template is not None:
            copy(template, draft, TEMPLATES)
        with watch.stage("Rendering") as advance:
            write_report(draft, source.facts, advance)
    return Run.open(destination)


def copy(folder: Path, draft: Draft, name: str) -> None:
    """The files of a folder, where there is one, into a folder of the draft."""
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        draft.write((Path(name) / path.relative_to(folder)).as_posix(), path.read_bytes())


def making() -> dict[str, str]:
    """What reports are made with here."""
    return {**environment.versions(), "fmreport's code": environment.code()}


@one_thread()
def write_report(draft: Draft, facts: Facts, advance: Advance) -> None:
    """Everything that is a view of the tables; the manifest last."""
    template = draft.folder / TEMPLATES if (draft.folder / TEMPLATES).is_dir() else None
    measured = Run.drafted(draft, facts)
    facts = replace(facts, rendered=making(), numbers=numbers.of_run(measured))
    drawn = Run.drafted(draft, facts)
    report = facts.config["report"]
    plots = figures.draw_all(drawn)
    for file, data in figures.render_all(plots).items():
        draft.write(f"figures/{file}", data)
    for name, text in latex.of_run(drawn).items():
        draft.write(LATEX[name], text.encode("utf-8"))
    page = build(drawn, plots=plots, advance=advance)
    if "html" in report["formats"]:
        draft.write("report.html", html.render(drawn, template_dir=template, budget_mb=report["budget_mb"], page=page))
    if "pdf" in report["formats"]:
        draft.write("report.pdf", pdf.render(drawn, template_dir=template, page=page))
    for file, data in exports.asked(drawn):
        draft.write(file, data)
    for file, data in exports.crates(drawn, draft.recorded()):
        draft.write(file, data)
    draft.write_manifest(facts)
