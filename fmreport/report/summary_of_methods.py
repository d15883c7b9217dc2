"""How a run was made, in a page of sentences: what the methods section of a paper would say of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fmreport import mapped
from fmreport.analysis import finding, regression, resampling
from fmreport.analysis.progression import NULL
from fmreport.attribution import METHODS
from fmreport.measures.projection import WIDTH
from fmreport.report import page
from fmreport.report.wording import count, listed, plural
from fmreport.store import Run

NAMED = 12
"""Probes that are called by name, at most."""
READ = {"edge": "edges (the luminance's gradient)", "mask": "masks"}
"""Targets of the regressions, in words."""


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one step of the run was."""

    title: str
    text: str


def told(run: Run, shown: page.Page) -> tuple[Paragraph, ...]:
    """The steps, in the order in which they were taken; `shown` is the run's page."""
    steps = {
        "Model and taps": _model(run, {fact.term: fact.value for fact in shown.facts}),
        "Preprocessing": [shown.preprocess],
        "Probes": _probes(run),
        "Measuring": _measuring(run),
        "Edges and masks": _reading(run),
        "What is shown": _shown(run),
        "Attribution": _attribution(run),
        "Controls": _controls(run),
        "What the verdicts rest on": _verdicts(run),
    }
    made = (Paragraph(title, " ".join(filter(None, sentences))) for title, sentences in steps.items())
    return tuple(paragraph for paragraph in made if paragraph.text)


def _model(run: Run, facts: Mapping[str, str]) -> Iterator[str]:
    parameters = f", with {facts['Parameters']} parameters" if "Parameters" in facts else ""
    framework = f" ({facts['Framework']})" if "Framework" in facts else ""
    yield f"The model is {run.facts.model.get('source') or 'not named'}{framework}{parameters}."
    if "Weights" in facts:
        yield f"Its weights are {facts['Weights']}; nothing was trained or changed."
    layers = int(run.inventory["path"].fillna("").ne("").sum())
    chosen = f" of its {plural(layers, 'layer')}"
    yield f"{_taps(len(run.layers))}{chosen}: {_selected(run)}."


def _taps(number: int) -> str:
    return f"Looked at {'is' if number == 1 else 'are'} {plural(number, 'tap')} (outputs)"


def _selected(run: Run) -> str:
    config = run.facts.config
    chosen = [_selector(each) for each in config.get("layers") or ()]
    without = [_selector(each) for each in config.get("exclude") or ()]
    asked = f"those that the config selects by {'; by '.join(chosen)}" if chosen else "those that the config selects"
    return asked + (f", without those by {'; by '.join(without)}" if without else "")


def _selector(keys: Mapping[str, Any]) -> str:
    steps = {key: value for key, value in keys.items() if key != "optional"}
    return ", ".join(f"{key} {_value(value)}" for key, value in steps.items())


def _value(value: object) -> str:
    return listed([str(each) for each in value]) if isinstance(value, list | tuple) else str(value)


def _probes(run: Run) -> Iterator[str]:
    probes = run.facts.probes
    called = f": {listed([probe.name for probe in probes])}" if len(probes) <= NAMED else ""
    yield f"The model was shown {plural(len(probes), 'image')}{called}."
    masks = run.facts.masks
    if masks:
        yield f"{_of_all(masks, len(probes))} a mask that tells the foreground from the rest."
    else:
        yield "None has a mask, so that nothing is said of foregrounds."


def _of_all(some: int, of: int) -> str:
    if some == of:
        return "Each has"
    return f"{some:,} of them {'has' if some == 1 else 'have'}"


def _measuring(run: Run) -> Iterator[str]:
    values = int(run.summary[["finite", "nan", "inf"]].to_numpy(float).sum())
    seen = mapped.of_facts(run.facts)
    whose = "Measures of single values were" if seen.some else "Every measure was"
    are = "are" if seen.some else "is"
    yield (
        f"All images passed through the model once. {whose} taken inside its own graph, from all "
        f"{count(values)} values of its taps, and {are} pooled over all images: every value counts once."
    )
    if seen.some:
        yield (
            f"Measures of maps (detail, edges and masks, single channels, similarity, dimensions, near-duplicates) are "
            f"of {seen.told}, {seen.spread}; {seen.masks:,} of them {'has' if seen.masks == 1 else 'have'} a mask."
        )
    if (run.layers["channels"] > WIDTH).any():
        yield (
            f"Regressions, spectra and dimensions look at {WIDTH} channels at most, of wider taps at {WIDTH} fixed "
            "random combinations, so that no tap is ahead for being wide."
        )


def _reading(run: Run) -> Iterator[str]:
    read = run.analyses["readability"]
    if not len(read):
        return
    targets = set(read["target"])
    what = [
        name for name, target in (("edges (the luminance's gradient)", "edge"), ("masks", "mask")) if target in targets
    ]
    if not what:
        return
    seen = mapped.of_facts(run.facts)
    masks = seen.masks if seen.some else run.facts.masks
    alone = {number < regression.FEW for number in (masks, seen.images - masks) if number}
    out = "are whole images, a fifth at a time or, where there are few, each in turn"
    if len(alone) == 1:
        out = "is each image in turn" if alone == {True} else "is a fifth of the images at a time"
    yield (
        f"How well {listed(what)} can be read from a tap is the R² of a ridge regression from its channels at each "
        f"position (Alain & Bengio 2016), on images that it was not learned from; left out {out}."
    )
    nulls = {kind: sum(target.startswith(kind) for target in targets) for kind in NULL}
    kinds = {"shuffled": "those of other images", "shifted": "the images' own, moved"}
    told = [(number, kinds[kind]) for kind, number in nulls.items() if number]
    if len(told) == 1:
        yield f"Beside each mask stand {told[0][0]} masks that mean nothing: {told[0][1]}."
    elif told:
        each = listed([f"{number} are {what}" for number, what in told])
        yield f"Beside each mask stand {sum(nulls.values())} masks that mean nothing: {each}."


def _shown(run: Run) -> Iterator[str]:
    facts = run.facts
    figures: Mapping[str, Any] = facts.config.get("figures") or {}
    yield facts.channel_rule
    asked = "as the config asks" if facts.config.get("display") else "the first of the list"
    names = listed(list(facts.displayed)) if len(facts.displayed) <= NAMED else plural(len(facts.displayed), "image")
    yield f"Maps are shown of {names}, {asked}."
    if figures.get("tile"):
        yield f"A map of more than {figures['tile']} pixels a side is area-averaged to that."
    if figures.get("scale") == "tap":
        yield "Colours span the range of the tap, the same for all its channels and pictures: they compare strengths."
    else:
        yield "Colours span the range of each channel, the same for all pictures: they compare places, not strengths."


def _attribution(run: Run) -> Iterator[str]:
    if run.facts.target:
        yield (
            f"{listed(METHODS)} tell what a score owes to each tap, by its gradient: {run.facts.score} "
            "(Selvaraju et al. 2017; Draelos & Carin 2020)."
        )


def _controls(run: Run) -> Iterator[str]:
    seeds = run.controls["seed"].nunique()
    if not seeds:
        yield "The model was not measured with randomised weights: what is the architecture's doing is not told apart."
        return
    times = "once" if seeds == 1 else f"{seeds} times"
    yield (
        f"Everything was measured again {times} with the entries of each weight in another random order: what such a "
        "model still shows is the architecture's doing, not what was learned."
    )


def _verdicts(run: Run) -> Iterator[str]:
    seen = mapped.of_facts(run.facts)
    masks = seen.masks if seen.some else run.facts.masks
    yield "Each finding is made from the tables by its rule, printed below, which does not look at the outcome."
    level = f"{resampling.LEVEL:.0%} intervals"
    if masks and masks < resampling.FEWEST:
        here = f"{'is' if masks == 1 else 'are'} {masks}"
        yield f"{level} take {resampling.FEWEST} images with masks to resample; here {here}, so that none is given."
    elif masks:
        yield f"{level} come from {resampling.DRAWS:,} resamples of the images."
    if masks:
        yield (
            "Masks of no meaning set the scale: p is the share of them that are read as well, and "
            f"{finding.SIGNIFICANT} the most that is taken for evidence."
        )
    yield (
        f"A claim of which a check could not be made is “{finding.CONSISTENT}” at best. All of it is said of these "
        "images only, and is correlational: what a map agrees with is not what it is for."
    )
