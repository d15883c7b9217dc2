"""A judgement as JUnit XML, as CI services read it: one test case per limit, and one for each tap beyond it."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from fmreport.gate import words
from fmreport.gate.judging import Judgement, Outcome
from fmreport.printable import printable

MOST = 20
"""Taps of one limit that have a test case."""


def junit(judgement: Judgement) -> bytes:
    """The file; it holds no time and no machine, so that the same judgement is the same bytes."""
    cases = [case for outcome in judgement.outcomes for case in _cases(outcome)]
    counts = {"tests": len(cases), "failures": 0, "errors": 0, "skipped": 0}
    for case in cases:
        for child in case:
            counts["failures" if child.tag == "failure" else "skipped"] += 1
    name = f"fmreport gate: {printable(judgement.run)}"
    suite = ET.Element("testsuite", {"name": name, **{key: str(count) for key, count in counts.items()}})
    suite.extend(cases)
    said = [printable(note) for note in judgement.notes]
    if judgement.baseline:
        said.insert(0, f"baseline: {printable(judgement.baseline)}")
    if said:
        ET.SubElement(suite, "system-out").text = "\n".join(said)
    suites = ET.Element("testsuites")
    suites.append(suite)
    ET.indent(suites)
    body: bytes = ET.tostring(suites, encoding="UTF-8", xml_declaration=True)
    return body + b"\n"


def _cases(outcome: Outcome) -> list[ET.Element]:
    limit = outcome.limit
    whole = ET.Element("testcase", {"classname": f"gate.{limit.kind}", "name": words.of_limit(limit)})
    if outcome.skipped:
        ET.SubElement(whole, "skipped", {"message": printable(outcome.skipped)})
    if not outcome.breaches:
        return [whole]
    ET.SubElement(whole, "failure", {"type": limit.kind, "message": words.of_outcome(outcome)})
    return [whole, *_taps(outcome)]


def _taps(outcome: Outcome) -> list[ET.Element]:
    limit, made = outcome.limit, []
    for reading in outcome.breaches[:MOST]:
        if reading.tap:
            attributes = {"classname": f"gate.{limit.kind}.{limit.quantity}", "name": printable(reading.tap)}
            case = ET.Element("testcase", attributes)
            message = f"{words.of_reading(reading, limit)}; limit: {words.of_limit(limit)}"
            ET.SubElement(case, "failure", {"type": limit.kind, "message": message})
            made.append(case)
    return made
