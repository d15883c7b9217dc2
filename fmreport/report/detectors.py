"""What Network Dissection's protocol found, in words: how many channels detect the mask, tap by tap."""

from __future__ import annotations

from fmreport import mapped
from fmreport.analysis.dissection import DETECTOR
from fmreport.records import IMAGE
from fmreport.report.wording import count, plural
from fmreport.store import Run

MEANING = f"channels of which the most active half percent overlaps the mask with an IoU above {DETECTOR}"


def by_tap(run: Run) -> dict[str, int]:
    """Detectors of each tap that is a map, and of the image itself; empty where the protocol was not followed."""
    table = run.analyses["dissection"]
    return {str(tap): int(found.sum()) for tap, found in table.groupby("tap", sort=False)["detector"]}


def sentence(run: Run) -> str:
    """Detectors of all taps together, beside what masks of other images make; empty where nobody asked."""
    if not run.facts.config.get("measures", {}).get("dissection"):
        return ""
    table = run.analyses["dissection"]
    if not len(table):
        return f"asked for, but no probe{mapped.of_facts(run.facts).within} has a mask"
    table = table[table["tap"] != IMAGE]
    if not len(table):
        return "asked for, but no tap is a map"
    found, null = int(table["detector"].sum()), table["detector_iou_null"]
    told = f"{count(found)} of {plural(len(table), 'channel')} detect the mask (IoU above {DETECTOR})"
    if null.notna().any():
        told += f"; {count(int((null > DETECTOR).sum()))} with masks of other images"
    if not found:
        return told
    best = table.sort_values("detector_iou", ascending=False, kind="stable").iloc[0]
    return f"{told}; the best is channel {best['channel']} of {best['tap']}, with {best['detector_iou']:.2f}"
