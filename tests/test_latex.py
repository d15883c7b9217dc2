"""The table for a paper."""

from __future__ import annotations

from fmreport.inventory import Inventory
from fmreport.records import ReceptiveField, Tap, Work
from fmreport.report.latex import latex


def tap(name: str, order: int, **facts: object) -> Tap:
    return Tap(name, name, "Conv2D", order, order, (8, 4, 2), "float32", 1234, 1234, "unknown", "", **facts)  # type: ignore[arg-type]


def test_every_letter_that_latex_reads_otherwise_is_written_out() -> None:
    taps = (tap("a_b/50%&#$^~{}\\", 1), tap("not selected", 2))
    printed = latex(Inventory((), taps, frozenset({taps[0].name}), (32, 16)))
    row = next(line for line in printed.splitlines() if " & " in line and "Layer" not in line)
    assert row.startswith(
        r"a\_b/50\%\&\#\$\textasciicircum{}\textasciitilde{}\{\}\textbackslash{} & Conv2D & 8 $\times$ 4 $\times$ 2"
    )
    assert "not selected" not in printed
    assert "an image of 32 by 16 pixels" in printed


def test_what_is_known_stands_in_the_row_and_what_is_not_is_marked() -> None:
    field = ReceptiveField("upper bound", "", "", (9, 5), (9, 5), (2.0, 2.0), (1, 1), (0.0, 0.0), (0.0, 0.0))
    taps = (tap("one", 1, work=Work(1_500_000, 10), receptive_field=field), tap("two", 2))
    rows = latex(Inventory((), taps, frozenset({"one", "two"}), (32, 16))).splitlines()
    assert r"1.23 k & 1.50 M & $\leq$ 9 $\times$ 5 & 2 \\" in next(row for row in rows if row.startswith("one"))
    assert r"1.23 k & ? & ? &  \\" in next(row for row in rows if row.startswith("two"))
