"""The tables for a paper."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_data import SyntheticRun, sd_unet_run, small_run, with_target

from fmreport.inventory import Inventory
from fmreport.records import Layer, ReceptiveField, Tap, Work
from fmreport.report.latex import latex, of_run
from fmreport.report.listing import Listing
from fmreport.report.tex import NEEDS, UNKNOWN, escaped
from fmreport.sources import Identity
from fmreport.store import LATEX

SEEN = {"stride": (2.0, 2.0), "padding": (1, 1), "centre": (0.0, 0.0), "disagreement": (0.0, 0.0)}
SPECIAL = "a_b/50%&#$^~{}\\[]*|<>"


def tap(name: str, order: int, **facts: object) -> Tap:
    return Tap(name, name, "Conv2D", order, order, (8, 4, 2), "float32", 1234, 1234, "unknown", "", **facts)  # type: ignore[arg-type]


def field(status: str, size: tuple[int, int], **more: object) -> ReceptiveField:
    return ReceptiveField(status, "", "", **{"size": size, "union": size, **SEEN, **more})  # type: ignore[arg-type]


def listing(*taps: Tap, selected: tuple[str, ...] | None = None, name: str = "my_model") -> Listing:
    """A model of these taps, each the output of a layer that owns what the tap says."""
    layers = tuple(
        Layer(each.layer, each.type, 1234, 1234, (each.name,), "", each, 1234, 1234, each.work) for each in taps
    )
    names = frozenset(each.name for each in taps) if selected is None else frozenset(selected)
    model = Identity("keras", "models/my_model.keras", "", "keras 3", 1234)
    return Listing(name, model, Inventory(layers, taps, names, (32, 16)))


def rows(printed: str, table: str) -> list[str]:
    """The rows of one of the tables, heads and total included."""
    (found,) = (part for part in printed.split(r"\begin{longtable}") if f"-{table}}}" in part)
    return [line for line in found.splitlines() if line.count("&") - line.count(r"\&")]


def bare(printed: str) -> str:
    """Without the braces that are printed."""
    return re.sub(r"\\[{}]", "", printed)


def cells(row: str) -> int:
    return len(re.findall(r"(?<!\\)&", row)) + 1


def test_every_letter_that_latex_reads_otherwise_is_written_out() -> None:
    printed = latex(listing(tap(SPECIAL, 1), tap("not selected", 2), selected=(SPECIAL,)))
    row = rows(printed, "layers")[2]
    assert row.replace(r"\allowbreak{}", "").startswith(
        r"a\_b/50\%\&\#\$\textasciicircum{}\textasciitilde{}\{\}\textbackslash{}{[}{]}{*}\textbar{}"
        r"\textless{}\textgreater{} & Conv2D & 8 $\times$ 4 $\times$ 2"
    )
    assert "not selected" not in "".join(rows(printed, "layers"))


def test_what_is_known_stands_in_the_row_and_what_is_not_is_marked() -> None:
    known = tap("one", 1, work=Work(1_500_000, 10), receptive_field=field("upper bound", (9, 5)))
    printed = rows(latex(listing(known, tap("two", 2))), "layers")
    assert r"1.23 k & 1.50 M & $\leq$ 9 $\times$ 5 & 2 \\" in next(row for row in printed if row.startswith("one"))
    assert r"1.23 k & ? & ? &  \\" in next(row for row in printed if row.startswith("two"))


@pytest.mark.parametrize("table", ["parts", "layers"])
def test_the_last_row_is_the_whole_model_and_a_lower_bound_where_a_layer_is_not_known(table: str) -> None:
    known, unknown = tap("a/one", 1, work=Work(1_500_000, 10)), tap("b/two", 2)
    assert "2.47 k & $\\geq$ 1.50 M &" in rows(latex(listing(known, unknown)), table)[-1]
    assert "1.23 k & 1.50 M &" in rows(latex(listing(known)), table)[-1]
    assert "1.23 k & ? &" in rows(latex(listing(unknown)), table)[-1]


def test_the_caption_names_the_model_and_the_size_and_explains_the_marks_that_there_are() -> None:
    printed = latex(listing(tap("one", 1, receptive_field=field("global", (7, 7)), work=Work(1, 1))))
    captions = [line.replace(r"\allowbreak{}", "") for line in printed.splitlines() if line.startswith(r"\caption")]
    assert len(captions) == 2
    for caption in captions:
        assert r"of models/my\_model.keras" in caption
        assert "for an image of 32 by 16 pixels" in caption
        assert "all (43): 43 by the paths that keep positions" in caption
        assert "not known" not in caption
    unknown = latex(listing(tap("one", 1, receptive_field=ReceptiveField("none"))))
    assert "?: not known" in unknown
    assert "--: none, as it does not depend on the image" in unknown


def test_labels_are_made_of_the_name_of_the_config() -> None:
    printed = latex(listing(tap("one", 1), name="my_model.v2 "))
    assert re.findall(r"\\label{(.*?)}", printed) == ["tab:my-model-v2-parts", "tab:my-model-v2-layers"]


@pytest.mark.parametrize(
    "taps",
    [
        (tap("one", 1), tap("two", 2, receptive_field=field("unaligned", (7, 7), union=(8, 8)))),
        tuple(tap(f"{part}/{SPECIAL}{i}", 2 * i + j) for j, part in enumerate("ab") for i in range(30)),
        (tap("only", 1, work=Work(0, 0)),),
    ],
)
def test_environments_braces_and_cells_are_balanced(taps: tuple[Tap, ...]) -> None:
    printed = latex(listing(*taps))
    opened: list[str] = []
    for kind, name in re.findall(r"\\(begin|end){(\w+)}", printed):
        if kind == "begin":
            opened.append(name)
        else:
            assert opened.pop() == name
    assert opened == []
    assert printed.count(r"\begingroup") == printed.count(r"\endgroup") == 1
    assert bare(printed).count("{") == bare(printed).count("}")
    for table, columns in (("parts", 6), ("layers", 7)):
        assert {cells(row) for row in rows(printed, table)} == {columns}
        assert all(row.endswith(r" \\") for row in rows(printed, table))
    assert [line for line in printed.splitlines() if line.startswith("[")] == []


def test_the_first_line_names_the_packages_whose_commands_are_used() -> None:
    first, *rest = latex(listing(tap("one/two", 1))).splitlines()
    assert first.startswith("% ")
    assert rf"\usepackage{{{','.join(NEEDS)}}}" in first
    for package, command in zip(NEEDS, (r">{\raggedright", r"\toprule", r"\begin{longtable}"), strict=True):
        assert any(command in line for line in rest), package


def test_long_paths_can_break() -> None:
    printed = latex(listing(tap("encoder/stage_1/conv.a", 1)))
    assert r"encoder/\allowbreak{}stage\_\allowbreak{}1/\allowbreak{}conv.\allowbreak{}a &" in printed


def test_where_nothing_is_selected_the_parts_stand_all_the_same() -> None:
    printed = latex(listing(tap("one", 1), selected=()))
    assert len(rows(printed, "parts")) == 4  # two heads, one part, the total
    assert len(rows(printed, "layers")) == 3


LETTERS = st.one_of(st.sampled_from("\\{}[]$&#%_^~*|<>×≤≥†–−²’“” \n\u200b"), st.characters())


@given(st.text(LETTERS))
def test_any_text_is_written_in_letters_that_latex_knows_with_braces_that_close(text: str) -> None:
    printed = escaped(text)
    assert re.sub(r"\\[{}]", "", printed).count("{") == re.sub(r"\\[{}]", "", printed).count("}")
    without = re.sub(r"\\[A-Za-z]+(\{\})?|\\[{}&%$#_]|\$\^\{-?\d?\}\$|\$-\$", "", printed)
    assert not re.search(r"[\\&%#_~^]", without.replace("$", ""))
    assert all(" " <= letter <= "~" or ("¡" <= letter <= "ž" and letter not in UNKNOWN) for letter in printed)


def test_what_latex_has_no_letter_for_is_named_by_its_code_point() -> None:
    assert escaped("a🐈") == "a{[}U+1F408{]}"
    assert escaped("−0.5 ≥ R²") == r"$-$0.5 $\geq$ R$^{2}$"
    assert escaped("Grün, čaj, Łódź") == "Grün, čaj, Łódź"


RUNS: dict[str, Callable[[], SyntheticRun]] = {
    "SD-UNet": sd_unet_run,
    "small": small_run,
    "with target": lambda: with_target(small_run()),
}


@pytest.mark.parametrize("run", RUNS)
def test_the_tables_of_a_run_are_balanced_and_every_row_has_all_cells(run: str) -> None:
    made = of_run(RUNS[run]())
    assert set(made) == set(LATEX)
    for name, printed in made.items():
        assert bare(printed).count("{") == bare(printed).count("}"), name
        kind = "parts" if name == "blocks" else name
        head, again, *body = rows(printed, kind)
        assert head == again
        assert {cells(row) for row in body} == {cells(head)}
        assert printed.splitlines()[0].startswith("% ")


def test_the_tables_of_a_run_say_what_its_listing_says() -> None:
    known, other = tap("a/one", 1, work=Work(1_500_000, 10)), tap("b/two", 2)
    printed, run = latex(listing(known, other)), small_run()
    assert rows(of_run(run)["layers"], "layers")[0] == rows(printed, "layers")[0]
    assert rows(of_run(run)["blocks"], "parts")[0] == rows(printed, "parts")[0]
    names = [row.split(" & ")[0] for row in rows(of_run(run)["layers"], "layers")[2:]]
    assert len(names) == len(run.layers) + 1
    assert names[-1] == "Whole model"


def test_what_is_read_stands_beside_its_interval_and_zeros_not_made_by_design_in_brackets() -> None:
    run = replace(sd_unet_run())
    told = run.analyses["progression"].assign(lower=-0.125, upper=0.5)
    told.loc[told["quantity"] == "mask", "value"] = -0.25
    run.analyses = {**run.analyses, "progression": told}
    found = rows(of_run(run)["progression"], "progression")
    assert found[0] == r"Layer & Edges & Mask & Fineness & Gini & Zeros \\"
    assert all(r" & $-$0.25 ($-$0.12, 0.50) & " in row for row in found[2:])
    assert found[2].endswith(r"(0.0\%) \\")
    assert not found[-1].endswith(r"\%) \\")  # a ReLU, which makes zeros by design


def test_quantities_that_nothing_tells_have_no_column() -> None:
    run = with_target(small_run())
    run.analyses = {**run.analyses, "progression": run.analyses["progression"].iloc[:0]}
    printed = of_run(run)["progression"]
    assert rows(printed, "progression")[0] == r"Layer & Gini & Zeros \\"
    assert "Edges" not in printed


def test_every_finding_has_a_row_with_its_verdict_and_its_caveat() -> None:
    from fmreport.report.findings import told

    run = sd_unet_run()
    found = rows(of_run(run)["findings"], "findings")[2:]
    assert [row.split(" & ")[1] for row in found] == [each.verdict for each in told(run)]
    caveats = [each.caveat for each in told(run) if each.caveat]
    assert caveats
    assert sum("Caveat: " in row for row in found) == len(caveats)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
@pytest.mark.parametrize("run", RUNS)
def test_latex_sets_the_tables_of_a_run(run: str, tmp_path: Path) -> None:
    for name, printed in of_run(RUNS[run]()).items():
        tmp_path.joinpath(f"{name}.tex").write_text(printed, encoding="utf-8")
    inputs = "\n".join(rf"\input{{{name}}}" for name in LATEX)
    document = rf"\documentclass{{article}}\usepackage{{{','.join(NEEDS)}}}\begin{{document}}{inputs}\end{{document}}"
    tmp_path.joinpath("paper.tex").write_text(document, encoding="utf-8")
    command = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode(errors="replace")[-2000:]
