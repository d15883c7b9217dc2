"""How a receptive field is put into words, in a table, in a sentence and under a picture."""

from __future__ import annotations

import pytest

from fmreport.inventory import layers_table
from fmreport.records import ReceptiveField, Tap
from fmreport.report.wording import MARKS, at_least, in_words, legend, seen_by_map, seen_sentence, sees

LOCAL = {"stride": (2.0, 2.0), "padding": (1, 1), "centre": (0.0, 0.0), "disagreement": (0.0, 0.0)}


def field(status: str, reason: str = "", normalised: str = "", **pairs: tuple[float, float]) -> ReceptiveField:
    size = pairs.pop("size", (9, 5))
    return ReceptiveField(status, reason, normalised, **{"size": size, "union": size, **LOCAL, **pairs})  # type: ignore[arg-type]


CASES = {
    "exact": (
        field("exact"),
        "9 × 5",
        "9 × 5 pixels (height × width), one element every 2 pixels",
        "stride 2, receptive field 9 × 5",
    ),
    "normalised": (
        field("exact", normalised="gn", size=(7, 7)),
        "7",
        "7 × 7 pixels, one element every 2 pixels; normalisation left out",
        "stride 2, receptive field 7 (normalisation excluded)",
    ),
    "upper bound": (
        field("upper bound", "resized by a number that is no whole one"),
        "≤ 9 × 5",
        "at most 9 × 5 pixels (height × width), one element every 2 pixels; resized by a number that is no whole one",
        "stride 2, receptive field at most 9 × 5",
    ),
    "unaligned": (
        field("unaligned", size=(7, 7), union=(8, 8), disagreement=(1.0, 1.0)),
        "7 (8)",
        "7 × 7 pixels, one element every 2 pixels, centres of paths up to 1 apart, together 8 × 8",
        "stride 2, receptive field 7, all paths together 8",
    ),
    "unaligned, but no wider": (
        field("unaligned", size=(18, 10), disagreement=(0.5, 0.5)),
        "18 × 10†",
        "18 × 10 pixels (height × width), one element every 2 pixels, centres of paths up to 0.5 apart",
        "stride 2, receptive field 18 × 10",
    ),
    "strides that differ": (
        field("exact", size=(7, 7), stride=(2.0, 1.0)),
        "7",
        "7 × 7 pixels, one element every 2 × 1 pixels (height × width)",
        "stride 2 × 1, receptive field 7",
    ),
    "global": (
        field("global", "pool averages them", size=(7, 7)),
        "all (7)",
        "the whole image; 7 × 7 pixels by convolutions and pooling, one element every 2 pixels; pool averages them",
        "stride 2, receptive field the whole image, 7 by convolutions and pooling",
    ),
    "nothing but global": (
        ReceptiveField("global", "pool averages all positions"),
        "all",
        "the whole image: pool averages all positions",
        "receptive field the whole image",
    ),
    "unknown": (ReceptiveField("unknown", "Sort is not followed"), "?", "not known: Sort is not followed", ""),
    "none": (
        ReceptiveField("none", "it does not depend on the image"),
        "–",
        "nothing: it does not depend on the image",
        "",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_a_receptive_field_reads_the_same_in_the_table_in_full_and_under_the_maps(case: str) -> None:
    seen, short, full, caption = CASES[case]
    tap = Tap("t", "t", "Conv2D", 1, 1, (8, 4, 2), "float32", 0, 0, "unknown", "", receptive_field=seen)
    (row,) = layers_table([tap], (32, 16)).to_dict("records")
    assert (sees(row), seen_sentence(row), seen_by_map(row)) == (short, full, caption)


def test_a_part_of_unaligned_paths_does_not_claim_what_they_see_together() -> None:
    assert sees({"rf_status": "unaligned", "rf_height": 7, "rf_width": 7}) == "7†"


@pytest.mark.parametrize(
    ("cell", "explained"),
    [
        ("427", set()),
        ("9 × 5", {"9 × 5: height × width"}),
        ("all", {"all: every pixel, by global pooling or attention"}),
        (
            "all (1464)",
            {"all: every pixel, by global pooling or attention", "all (43): 43 by the paths that keep positions"},
        ),
        ("43 (45)", {"43 (45): paths centred on different pixels, the widest and all together"}),
        ("7†", {"43†: the widest of paths centred on different pixels"}),
        ("≤ 7", {"≤: at most"}),
        ("≥ 6.30 M", {"≥: at least, as a part of it is not known"}),
        ("?", {"?: not known"}),
        ("–", {"–: none, as it does not depend on the image"}),
    ],
)
def test_a_legend_explains_the_marks_that_there_are_and_no_others(cell: str, explained: set[str]) -> None:
    said = legend(["427", cell], "RF")
    assert "RF: receptive field in pixels" in said
    assert {meaning for meaning in MARKS.values() if meaning in said} == explained


def test_a_sum_of_which_a_part_is_not_known_is_a_lower_bound() -> None:
    assert at_least(6_300_000, whole=True) == in_words("6.30 M") == "6.30 M"
    assert at_least(6_300_000, whole=False) == "≥ 6.30 M"
    assert in_words("≥ 6.30 M") == "at least 6.30 M"
    assert at_least(0, whole=False) == "?"
    assert in_words("?") == "not known"
    assert at_least(0, whole=True) == "0"
