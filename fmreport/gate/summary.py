"""A judgement as GitHub-flavoured Markdown, for the summary of a workflow's job."""

from __future__ import annotations

from collections.abc import Iterator

from fmreport.gate import words
from fmreport.gate.judging import Judgement, Outcome
from fmreport.printable import printable

MOST = 20
"""Taps of one limit that are listed."""
MARKS = {words.HELD: "✅ held", words.BREACHED: "❌ breached", words.SKIPPED: "⏭ skipped"}


def summary(judgement: Judgement) -> str:
    """The text; names of taps are text in it, whatever they hold."""
    return "\n".join((*_lines(judgement), ""))


def _lines(judgement: Judgement) -> Iterator[str]:
    yield f"### {literal(judgement.run)}: {words.verdict(judgement)}"
    yield ""
    if judgement.baseline:
        yield f"Changes are counted from {literal(judgement.baseline)}."
        yield ""
    yield "| | limit | found |"
    yield "|---|---|---|"
    for outcome in judgement.outcomes:
        found = literal(words.of_outcome(outcome))
        yield f"| {MARKS[words.state(outcome)]} | {literal(words.of_limit(outcome.limit))} | {found} |"
    for outcome in judgement.breached:
        yield from _taps(outcome)
    if judgement.notes:
        yield ""
        yield from (f"- {literal(note)}" for note in judgement.notes)


def _taps(outcome: Outcome) -> Iterator[str]:
    if len(outcome.breaches) < 2:
        return
    yield ""
    yield f"Beyond the limit, {literal(words.of_limit(outcome.limit))}:"
    yield ""
    for reading in outcome.breaches[:MOST]:
        yield f"- {literal(words.of_reading(reading, outcome.limit))}"
    if len(outcome.breaches) > MOST:
        yield f"- and {len(outcome.breaches) - MOST:,} more"


def literal(text: str) -> str:
    """Text that Markdown and HTML take as it is: every mark of ASCII as a reference to its character."""
    shown = printable(text)
    return "".join(each if each.isalnum() or each == " " or ord(each) > 127 else f"&#{ord(each)};" for each in shown)
