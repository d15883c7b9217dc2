"""What changed, in sentences and in numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from fmreport.compare.align import BOTH, MOVED, RENAMED, Alignment, Pair
from fmreport.compare.comparison import (
    CHANGED,
    EQUAL,
    ROUNDING,
    ChannelChange,
    Comparison,
    Counts,
    FactChange,
    Lone,
    TapChange,
)

NAMED = 6
"""Names that a sentence gives, at most."""


def counts(taps: Sequence[TapChange], alignment: Alignment, untapped: Alignment) -> Counts:
    """How much of each there is."""
    states = [tap.state for tap in taps]
    measures = [change for tap in taps for change in tap.measures]
    return Counts(
        pairs=len(taps),
        renamed=alignment.count(RENAMED, BOTH),
        moved=alignment.count(MOVED, BOTH),
        added=len(alignment.added),
        removed=len(alignment.removed),
        untapped_renamed=untapped.count(RENAMED, BOTH),
        untapped_added=len(untapped.added),
        untapped_removed=len(untapped.removed),
        equal=states.count(EQUAL),
        rounding=states.count(ROUNDING),
        changed=states.count(CHANGED),
        activations=sum(tap.activation for tap in taps),
        newly_silent=sum(len(change.new) for _, change in _own(taps, "silent")),
        no_longer_silent=sum(len(each.gone) for tap in taps for each in tap.channels if each.state == "silent"),
        intervals=sum(change.lower is not None for change in measures),
        clear=sum(change.clear for change in measures),
    )


def is_same(found: Comparison) -> bool:
    """Whether nothing differs that counts."""
    there = any(each.counts for each in found.differences) or not found.probes.same
    alone = found.added or found.removed or found.untapped
    renamed = any(tap.pair.how not in ("same path",) for tap in found.taps)
    return not (there or alone or renamed or any(tap.differs for tap in found.taps))


def told(found: Comparison) -> Iterator[str]:
    """The sentences, the most telling first."""
    if found.same:
        yield _no_difference(found)
        yield from _of_drift(found)
        return
    # Where most is called otherwise, as in another framework, names tell least.
    foreign = 2 * found.counts.renamed > found.counts.pairs
    if foreign:
        yield from _of_drift(found)
    yield from _of_layers(found)
    activations = [f"{_names(tap.pair)} ({_facts(tap)})" for tap in found.taps if tap.activation]
    if activations:
        yield f"{_count(len(activations), 'tap has', 'taps have')} another activation: {_listed(activations)}."
    shapes = [f"{_names(tap.pair)} ({tap.shape_a} → {tap.shape_b})" for tap in found.taps if tap.shape_a != tap.shape_b]
    if shapes:
        yield f"{_count(len(shapes), 'tap has', 'taps have')} another shape: {_listed(shapes)}."
    yield from _of_channels(found.taps)
    yield from _of_numbers(found)
    if not foreign:
        yield from _of_drift(found)
    counting = [each for each in found.differences if each.counts]
    # Another file has another path, hash and size: one fact.
    if any(each.part == "model" for each in counting):
        yield "The model is another: what of it differs stands below."
    settings = [each for each in counting if each.part != "model" and not each.key.startswith("model.")]
    if settings:
        named = _listed([each.key if each.part == "config" else f"{each.part}: {each.key}" for each in settings])
        yield f"{_count(len(settings), 'setting that bears', 'settings that bear')} on numbers differ: {named}."


def _no_difference(found: Comparison) -> str:
    near = f", {found.counts.rounding} of them but for rounding" if found.counts.rounding else ", to the last bit"
    quiet = " What differs of config and surroundings bears on none of them." if found.differences else ""
    return (
        f"No difference: all {found.counts.pairs} taps have the same layers, channels and numbers on the same probes"
        f"{near}.{quiet}"
    )


def _of_layers(found: Comparison) -> Iterator[str]:
    for how, word in (((RENAMED, BOTH), "renamed"), ((MOVED, BOTH), "moved")):
        named = [_names(tap.pair) for tap in found.taps if tap.pair.how in how]
        if named:
            yield f"{_count(len(named), 'tap is', 'taps are')} {word}: {_listed(named)}."
    for lone, word in ((found.added, "added"), (found.removed, "removed")):
        for tapped in (True, False):
            named = [_described(each) for each in lone if each.tapped == tapped]
            noun = ("tap is", "taps are") if tapped else ("layer without a tap is", "layers without a tap are")
            if named:
                yield f"{_count(len(named), *noun)} {word}: {_listed(named)}."
    if found.untapped:
        named = [_names(pair) for pair in found.untapped]
        yield f"{_count(len(named), 'layer without a tap is', 'layers without a tap are')} renamed: {_listed(named)}."


def _of_channels(taps: Sequence[TapChange]) -> Iterator[str]:
    words = {"silent": "silent", "constant": "constant", "nan": "with NaN", "inf": "with infinite values"}
    for state, word in words.items():
        own = _own(taps, state)
        total = sum(len(change.new) for _, change in own)
        if total:
            told = [f"{len(change.new)} of {_names(tap.pair)}" for tap, change in own if change.new]
            handed = [tap.pair.b for tap in taps for each in tap.channels if each.state == state and each.handed_on]
            on = f" ({_listed(handed)} {'hands' if len(handed) == 1 else 'hand'} them on)" if handed else ""
            yield f"{_count(total, 'channel is', 'channels are')} newly {word}: {_listed(told)}{on}."
        gone = [
            f"{len(change.gone)} of {_names(tap.pair)}"
            for tap in taps
            for change in tap.channels
            if change.state == state and change.gone
        ]
        total = sum(len(change.gone) for tap in taps for change in tap.channels if change.state == state)
        if gone:
            yield f"{_count(total, 'channel is', 'channels are')} no longer {word}: {_listed(gone)}."
        counted = [
            f"{_names(tap.pair)} ({change.a} → {change.b})"
            for tap in taps
            for change in tap.channels
            if change.state == state and not change.new and not change.gone
        ]
        if counted:
            yield f"Channels {word}, where A and B have not as many channels: {_listed(counted)}."


def _of_numbers(found: Comparison) -> Iterator[str]:
    counts = found.counts
    if counts.changed:
        near = f", {counts.rounding} but for rounding" if counts.rounding else ""
        same = f"{counts.equal} equal to the last bit{near}" if counts.equal or near else "none is equal"
        begins = [_begun(tap) for tap in found.taps if tap.begins]
        where = f" The changes begin at {_listed(begins)}." if begins else ""
        yield f"The numbers of {counts.changed} of {counts.pairs} paired taps changed; {same}.{where}"
    elif counts.pairs:
        near = f", {counts.rounding} of them but for rounding" if counts.rounding else " to the last bit"
        yield f"The numbers of all {counts.pairs} paired taps are equal{near}."
    if counts.intervals:
        yield (
            f"Of {counts.intervals:,} intervals in all, {counts.clear:,} leave out 0; if no change held beyond these "
            "images, about 1 in 20 would all the same."
        )


def _of_drift(found: Comparison) -> Iterator[str]:
    """Where numbers drift apart; nothing where they are equal at every tap."""
    onset, drifts = found.onset, {tap.pair.b: tap.drift for tap in found.taps}
    agreed = "" if onset.agree is None else _short(onset.agree) if onset.agree else "the last bit"
    if not onset.start:
        if onset.agree:
            taps = _count(onset.taps, "tap", "taps")
            yield f"Numbers agree to {agreed} at all {taps} whose drift is known (relative error)."
        return
    start = drifts[onset.start]
    assert start is not None
    size = "infinite: A is 0 there" if start.relative is None else _short(start.relative)
    before = f"Numbers agree to {agreed} up to {onset.until}; drift" if onset.until else "Drift"
    first = "" if onset.until else "the first tap, "
    grows = ""
    if onset.growth is not None and onset.steepest != onset.start:
        grows = f"; it grows most at {onset.steepest}, {onset.growth:,.1f}-fold"
    yield f"{before} starts at {first}{onset.start} ({size}){grows}. These are relative errors, from random sums."


def _short(value: float) -> str:
    """`0.0021`, `3.1e-7`."""
    return f"{value:.2g}".replace("e-0", "e-")


def _begun(tap: TapChange) -> str:
    """A tap where changes begin, with what is known of why."""
    own = _facts(tap) if any(not fact.handed_on for fact in tap.facts) else ""
    why = "; ".join(filter(None, (*tap.reads, own)))
    return f"{_names(tap.pair)}{f' ({why})' if why else ''}"


def _facts(tap: TapChange) -> str:
    named: list[FactChange] = [fact for fact in tap.facts if not fact.handed_on]
    told = {fact.name: f"{fact.a or 'not known'} → {fact.b or 'not known'}" for fact in named}
    words = {"type": "", "zeros": "zeros ", "zeros_reason": "why: ", "shape": "shape ", "parameters": "parameters "}
    kept = [f"{word}{told[name]}" for name, word in words.items() if name in told]
    return "; ".join(kept or [f"{name} {value}" for name, value in told.items()])


def _own(taps: Sequence[TapChange], state: str) -> list[tuple[TapChange, ChannelChange]]:
    """What became of channels, those left aside that a layer is handed."""
    found = ((tap, each) for tap in taps for each in tap.channels)
    return [(tap, each) for tap, each in found if each.state == state and not each.handed_on]


def _names(pair: Pair) -> str:
    return pair.b if pair.a == pair.b else f"{pair.a} → {pair.b}"


def _described(lone: Lone) -> str:
    return f"{lone.name} ({lone.type})" if lone.type else lone.name


def _count(number: int, one: str, several: str) -> str:
    return f"{number:,} {one if number == 1 else several}"


def _listed(names: Sequence[str]) -> str:
    """`a, b and c`, the first few of many."""
    if len(names) > NAMED:
        return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more"
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
