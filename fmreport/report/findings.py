"""What the tables of a run say, with links to the evidence."""

from __future__ import annotations

from collections.abc import Iterator

from fmreport.analysis import finding, findings
from fmreport.report import methods, page, taps
from fmreport.store import Run


def made_from(run: Run) -> finding.Tables:
    """What the rules read."""
    seed = int(run.facts.config.get("seed", 0))
    return finding.Tables(run.layers, run.inventory, run.summary, run.channels, run.analyses, run.controls, seed)


def told(run: Run) -> Iterator[page.Finding]:
    """Every finding, in the order in which they are read."""
    addresses = taps.anchors(list(run.layers["tap"]))
    positions = {tap: position for position, tap in enumerate(run.layers["tap"], 1)}
    for each in findings.findings(made_from(run)):
        shown = [tap for tap in each.taps if tap in addresses]
        links = tuple((tap, page.href(addresses[tap]), f"tap-{positions[tap]}") for tap in shown)
        positive = each.verdict in (finding.SUPPORTED, finding.CONSISTENT)
        method = methods.href(methods.slug(each.subject))
        yield page.Finding(each.subject, each.verdict, each.sentence, each.rule, links, each.caveat, positive, method)
