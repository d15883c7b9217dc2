"""What the model decides is one class of one of its taps; whatever is wrong with it is told before anything runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import pytest
from config_texts import MINIMAL, complaints, write
from planted import tap
from saved_models import plain
from test_cli import CONFIG, TINY, fmreport, refused

from fmreport import config
from fmreport.errors import SelectorError
from fmreport.records import Tap, Target
from fmreport.sources import open_source
from fmreport.target import resolve

BASE: dict[str, Any] = {
    "name": "test",
    "model": {"kind": "application", "name": "VGG16"},
    "probes": [{"kind": "skimage", "names": ["cat"]}],
}
STEM, SEGMENTS, ONE, SCORES = (
    tap("stem", (8, 8, 4), 1),
    tap("segments", (8, 8, 3), 2),
    tap("one", (4, 4, 1), 3),
    tap("scores", (10,), 4),
)


def resolved(taps: tuple[Tap, ...], **section: Any) -> Target:
    found = resolve(config.from_dict({**BASE, "target": section}, Path()), taps)
    assert found is not None
    return found


def refusal(taps: tuple[Tap, ...], **section: Any) -> tuple[str, str]:
    with pytest.raises(SelectorError) as caught:
        resolved(taps, **section)
    return str(caught.value), caught.value.fix


def test_without_a_target_nothing_is_asked() -> None:
    assert config.from_dict(BASE, Path()).target is None
    assert resolve(config.from_dict(BASE, Path()), (STEM,)) is None


def test_by_default_it_is_of_what_the_model_returns() -> None:
    taps = (STEM, replace(SCORES, returned=1))
    assert resolved(taps, **{"class": 7}) == Target(taps[1], 7)
    assert resolved(taps, **{"class": "predicted"}) == Target(taps[1], None)


def test_a_model_in_a_model_returns_what_its_last_layer_does() -> None:
    inner, outer = replace(SCORES, name="body/scores", returned=1), replace(SCORES, name="body", returned=1)
    assert resolved((STEM, inner, outer), **{"class": 0}).tap is outer


def test_of_several_outputs_one_must_be_named() -> None:
    taps = (replace(SEGMENTS, returned=2), replace(SCORES, returned=1))
    message, fix = refusal(taps, **{"class": 0})
    assert message == "CONFIG: target.output: the model returns 2 tensors, and nothing says which one decides"
    assert fix == "name it under target.output; one of: segments, scores"
    assert resolved(taps, **{"class": 0, "output": "segments"}).tap is taps[0]


def test_an_output_that_is_of_no_layer_must_be_named() -> None:
    message, fix = refusal((STEM, SCORES), **{"class": 0})
    assert "what the model returns is the output of none of its layers" in message
    assert fix.endswith("the last of them: scores, stem")


def test_an_unknown_output_names_the_nearest() -> None:
    message, fix = refusal((STEM, SCORES), **{"class": 0, "output": "score"})
    assert message == "CONFIG: target.output: the model has no tap 'score'"
    assert fix == "nearest: scores; all of them: fmreport layers CONFIG"


@pytest.mark.parametrize(
    ("made", "section", "message", "fix"),
    [
        (SCORES, {"class": 10}, "target.class: scores (10) has no class 10", "its classes are 0 to 9"),
        (SEGMENTS, {"class": 3}, "target.class: segments (8 x 8 x 3) has no class 3", "its classes are 0 to 2"),
        (SEGMENTS, {"class": "predicted"}, "decides at every position", "name a class, 0 to 2"),
        (SEGMENTS, {"class": 0, "threshold": 0.3}, "segments (8 x 8 x 3) is no map of one channel", "leave it out"),
        (SCORES, {"class": 0, "threshold": 0.3}, "scores (10) is no map of one channel", "leave it out"),
        (
            tap("tokens", (49, 8)),
            {"class": 0},
            "tokens is 49 x 8, neither a vector of classes nor a map",
            "name another",
        ),
        (tap("film", (3, 8, 8, 2)), {"class": 0}, "film is 3 x 8 x 8 x 2, neither", "name another"),
    ],
)
def test_what_an_output_does_not_hold_is_refused(made: Tap, section: dict[str, Any], message: str, fix: str) -> None:
    said, then = refusal((replace(made, returned=1),), **section)
    assert message in said
    assert fix in then


def test_a_map_of_one_position_decides_as_a_vector_does() -> None:
    pixel = tap("pixel", (1, 1, 5))
    found = resolved((pixel,), output="pixel", **{"class": "predicted"})
    assert (found.channel, found.is_map) == (None, False)


def test_a_map_of_one_channel_has_a_threshold() -> None:
    assert resolved((ONE,), output="one", **{"class": 0}).threshold == 0.5
    assert resolved((ONE,), output="one", **{"class": 0, "threshold": -1.0}).threshold == -1


@pytest.mark.parametrize(
    ("section", "complaint"),
    [
        ("{}", "target.class: missing: place of the class"),
        ("{class: -1}", "target.class: expected a number from 0 on, the place of the class, or predicted; found -1"),
        (
            "{class: cat}",
            "target.class: expected a number from 0 on, the place of the class, or predicted; found 'cat'",
        ),
        (
            "{class: true}",
            "target.class: expected a number from 0 on, the place of the class, or predicted; found True",
        ),
        ("{class: 1, clas: 2}", "target.clas: unknown key; nearest: class"),
        ("{class: 1, threshold: high}", "target.threshold: expected a number, found text 'high'"),
    ],
)
def test_what_is_wrong_with_the_section_is_told_with_its_line(section: str, complaint: str, tmp_path: Path) -> None:
    (line,) = complaints(tmp_path, f"{MINIMAL}target: {section}\n")
    assert line.startswith(f"run.yaml:{len(MINIMAL.splitlines()) + 1}: {complaint}")


def test_a_target_survives_the_manifest(tmp_path: Path) -> None:
    made = config.load(write(tmp_path, f"{MINIMAL}target: {{class: predicted, output: head}}\n"))
    assert made.resolved()["target"] == {"class": "predicted", "output": "head", "threshold": None}
    assert config.from_dict(made.resolved(), tmp_path).target == made.target


def returned(model: dict[str, Any], folder: Path) -> list[str]:
    opened = open_source(config.from_dict({**BASE, "model": model}, folder))
    return [each.name for each in opened.inventory((16, 16))[1] if each.returned]


def test_a_keras_model_and_its_saved_graph_return_the_same_tap(tmp_path: Path) -> None:
    model = plain(keras)
    model.save(tmp_path / "model.keras")
    model.export(tmp_path / "saved", verbose=False)
    assert returned({"kind": "keras", "path": "model.keras"}, tmp_path) == ["mean"]
    assert returned({"kind": "savedmodel", "path": "saved"}, tmp_path) == ["mean"]


@pytest.mark.slow
def test_a_bad_target_ends_a_run_before_it_measures(tmp_path: Path) -> None:
    (tmp_path / "tiny_model.py").write_text(TINY)
    (tmp_path / "tiny.yaml").write_text(f"{CONFIG}target: {{class: 3}}\n")
    said = refused(fmreport("run", "tiny.yaml", cwd=tmp_path))
    assert "tiny.yaml:9: target.class: head (3) has no class 3" in said
    assert "Measuring" not in said
    assert not (tmp_path / "reports").exists()
