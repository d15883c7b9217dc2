"""The source `skimage`: photographs that ship inside scikit-image, with the masks that were drawn for fmreport."""

from __future__ import annotations

from pathlib import Path

from fmreport.config.probes import SkimageProbes
from fmreport.errors import ProbeError
from fmreport.probes.listing import Listing
from fmreport.probes.outlines import outline
from fmreport.probes.photographs import photograph
from fmreport.probes.places import File
from fmreport.probes.probeset import ProbeFile


def listed(source: SkimageProbes, _base: Path) -> Listing:
    """The photographs of those names; what scikit-image does not ship is a problem."""
    found: list[ProbeFile] = []
    problems: list[ProbeError] = []
    for name in source.names:
        try:
            found.append(_shipped(name, masks=source.masks))
        except ProbeError as error:
            problems.append(ProbeError(f"names: {error}", fix=error.fix))
    return Listing(tuple(found), tuple(problems))


def _shipped(name: str, *, masks: bool) -> ProbeFile:
    place = File(str(photograph(name)))
    drawn = outline(name) if masks else None
    return ProbeFile(place, f"skimage:{name}", drawn, drawn.origin if drawn else "", called=name)
