"""A part of a model card for the Hugging Face Hub: metadata, what was found, and how to make it again.

Nothing that fmreport measures is a result of an evaluation, so that the metadata has no `model-index`.
"""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

from ruamel.yaml import YAML

from fmreport import mapped
from fmreport.exports.addresses import of_licence, spdx
from fmreport.facts import Facts
from fmreport.report import findings
from fmreport.report.key_figures import key_figures
from fmreport.report.wording import plural
from fmreport.store import MANIFEST, Run

FILE = "model_card.md"
TAGS = ("fmreport", "feature-maps", "interpretability", "sparsity")
LIBRARIES = {"keras": "keras", "tf_keras": "tf-keras"}
"""What the Hub calls a framework, by the first word of its name in a run."""
LICENCES = (
    "afl-3.0", "agpl-3.0", "apache-2.0", "artistic-2.0", "bsd-2-clause", "bsd-3-clause", "bsd-3-clause-clear",
    "bsl-1.0", "cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0",
    "cc-by-nc-nd-3.0", "cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0", "cc-by-nd-4.0",
    "cc-by-sa-3.0", "cc-by-sa-4.0", "cc0-1.0", "cdla-permissive-1.0", "cdla-permissive-2.0", "cdla-sharing-1.0",
    "ecl-2.0", "epl-1.0", "epl-2.0", "etalab-2.0", "eupl-1.1", "eupl-1.2", "gpl-2.0", "gpl-3.0", "isc", "lgpl-2.1",
    "lgpl-3.0", "lppl-1.3c", "mit", "mpl-2.0", "ms-pl", "ncsa", "ofl-1.1", "osl-3.0", "postgresql", "unlicense",
    "wtfpl", "zlib",
)  # fmt: skip
"""SPDX identifiers that the Hub knows, in its letters; it calls others `other`, and asks for a name."""
JOINERS = "\u200c\u200d"
"""Not seen, but part of how words and signs are written."""


def written(run: Run) -> bytes:
    """The part, to be laid over or pasted into the card of the model."""
    lines = ["---", *_metadata(run.facts).splitlines(), "---", "", *_section(run)]
    return ("\n".join(lines) + "\n").encode("utf-8", "replace")


def _metadata(facts: Facts) -> str:
    told: dict[str, Any] = {}
    if declared := plain(facts.licences.get("model", "")):
        told |= _licence(declared)
    framework = str(facts.model.get("framework") or "").partition(" ")[0]
    if framework in LIBRARIES:
        told["library_name"] = LIBRARIES[framework]
    told["tags"] = list(TAGS)
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.allow_unicode = True
    # On one line, where nothing can look like the end of the metadata.
    yaml.width = 2**20
    out = io.StringIO()
    yaml.dump(told, out)
    return out.getvalue()


def _licence(declared: str) -> dict[str, str]:
    known = spdx(declared).lower()
    if known in LICENCES:
        return {"license": known}
    named = {"license": "other", "license_name": declared}
    return named | ({"license_link": of_licence(declared)} if of_licence(declared) else {})


def _section(run: Run) -> Iterator[str]:
    facts = run.facts
    masks, seen = facts.masks, mapped.of_facts(facts)
    maps = f"Maps were measured of {seen.images:,} of them. " if seen.some else ""
    yield f"## Audit with fmreport: {escaped(facts.title)}"
    yield ""
    yield (
        f"What fmreport {escaped(facts.versions['fmreport'])} measured of "
        f"{escaped(str(facts.model.get('source') or 'the model'))}, release {escaped(facts.release)}: "
        f"{plural(len(run.layers), 'tap')} on {plural(len(facts.probes), 'image')}, {masks} with a mask. "
        f"{maps}It tells how the model sees these images, and not how well it does what it was made for."
    )
    yield ""
    yield "### What the numbers say"
    yield ""
    for finding in findings.told(run):
        but = f" But: {finding.caveat}." if finding.caveat else ""
        yield f"- **{escaped(finding.subject)}** ({finding.verdict}): {escaped(finding.sentence + but)}"
    yield ""
    yield "### Key numbers"
    yield ""
    yield "| number | of what | where |"
    yield "|---|---|---|"
    for key in key_figures(run):
        yield f"| {escaped(key.value)} | {escaped(key.label)} | {escaped(key.detail)} |"
    yield ""
    yield from _repeated(facts)


def _repeated(facts: Facts) -> Iterator[str]:
    command = plain(facts.command)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", command)), default=0))
    yield "### How to make it again"
    yield ""
    yield f"With the versions, inputs and config that `{MANIFEST}` of the run lists with their hashes:"
    yield ""
    yield f"{fence}sh"
    yield command
    yield fence
    yield ""
    yield f"- ID of the run: `{facts.id}`"
    if facts.model.get("sha256"):
        yield f"- SHA-256 of the model: `{facts.model['sha256']}`"
    if facts.date:
        yield f"- Date: {facts.date}"


def plain(text: str) -> str:
    """The text on one line, without letters that cannot be seen."""
    seen = (
        letter if letter in JOINERS or unicodedata.category(letter)[0] != "C" else " "
        for letter in " ".join(text.split())
    )
    return " ".join("".join(seen).split())


def escaped(text: str) -> str:
    """The text as Markdown that shows it as it is, in a line, a list or a table."""
    return re.sub(r"://", r":\\/\\/", re.sub(r"([\\`*_\[\]<>#|&~$@])", r"\\\1", plain(text)))
