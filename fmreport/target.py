"""What a model decides: the config's `target` to a tap and a channel of it."""

from __future__ import annotations

from collections.abc import Sequence

from fmreport.config import Config, TargetSection
from fmreport.errors import SelectorError, nearest
from fmreport.records import Tap, Target

NAMES = 5
"""How many names of taps a message tells."""


def resolve(config: Config, taps: Sequence[Tap]) -> Target | None:
    """The target among all taps of a model; None where the config has none.

    Raises `SelectorError` where the output is not known, is several, or does not hold what is asked of it.
    """
    section = config.target
    if section is None:
        return None
    tap = _output(config, section, taps)
    _check(config, section, tap)
    channel = section.class_ if isinstance(section.class_, int) else None
    return Target(tap, channel) if section.threshold is None else Target(tap, channel, section.threshold)


def _output(config: Config, section: TargetSection, taps: Sequence[Tap]) -> Tap:
    place = f"{config.where('target', 'output')}: target.output"
    if section.output is not None:
        named = next((tap for tap in taps if tap.name == section.output), None)
        if named is None:
            raise SelectorError(
                f"{place}: the model has no tap {section.output!r}",
                fix=f"{nearest(section.output, [tap.name for tap in taps], most=NAMES)}; "
                f"all of them: fmreport layers {config.source}",
            )
        return named
    # A model inside a model returns the tensor of its last layer: of two names for it, the outer one.
    returned = {tap.returned: tap for tap in taps if tap.returned}
    if len(returned) == 1:
        return next(iter(returned.values()))
    if returned:
        names = [tap.name for tap in returned.values()]
        raise SelectorError(
            f"{place}: the model returns {len(names)} tensors, and nothing says which one decides",
            fix=f"name it under target.output; {nearest('', names, most=NAMES)}",
        )
    last = [tap.name for tap in taps[-NAMES:]]
    raise SelectorError(
        f"{place}: what the model returns is the output of none of its layers",
        fix=f"name the tap that decides under target.output; the last of them: {', '.join(reversed(last))}",
    )


def _check(config: Config, section: TargetSection, tap: Tap) -> None:
    """Raises where a tap does not hold the class that is asked for."""
    shape = " x ".join(map(str, tap.shape))
    if len(tap.shape) not in (1, 3):
        raise SelectorError(
            f"{config.where('target', 'output')}: target.output: {tap.name} is {shape}, neither a vector of classes "
            "nor a map of them",
            fix="name another tap: one of K numbers, or of height x width x K",
        )
    if isinstance(section.class_, int) and section.class_ >= tap.channels:
        raise SelectorError(
            f"{config.where('target', 'class')}: target.class: {tap.name} ({shape}) has no class {section.class_}",
            fix=f"its classes are 0 to {tap.channels - 1}",
        )
    is_map = Target(tap, None).is_map
    if is_map and not isinstance(section.class_, int):
        raise SelectorError(
            f"{config.where('target', 'class')}: target.class: {tap.name} ({shape}) decides at every position, and "
            f"{section.class_} is of a single decision per image",
            fix=f"name a class, 0 to {tap.channels - 1}",
        )
    if section.threshold is not None and not (is_map and tap.channels == 1):
        raise SelectorError(
            f"{config.where('target', 'threshold')}: target.threshold: {tap.name} ({shape}) is no map of one channel",
            fix="leave it out: among several channels the largest one decides",
        )
