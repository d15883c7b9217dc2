"""The blocks of templates: which there are, and whether a user's own template fills blocks that exist."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from jinja2 import nodes

from fmreport.errors import RenderError, nearest
from fmreport.report import environment

TEMPLATES = ("report.html.j2", "report.typ.j2")
"""Those that have blocks."""


@dataclass(frozen=True, slots=True)
class Block:
    """A place of a template that a template of one's own can fill."""

    template: str
    name: str
    holds: str
    """What stands in it, from the comment behind its name."""


def listed() -> Iterator[Block]:
    """The blocks of fmreport's own templates, in the order in which a report shows them."""
    for template in TEMPLATES:
        text = (environment.builtin_templates() / template).read_text(encoding="utf-8")
        said = [(kind, value) for _, kind, value in jinja2.Environment().lex(text) if kind != "whitespace"]
        for i, (kind, _) in enumerate(said):
            if kind == "block_begin" and said[i + 1] == ("name", "block"):
                # The tag, block, its name, the end of the tag, the beginning of a comment, the comment.
                (_, name), (behind, comment) = said[i + 2], said[i + 5]
                yield Block(template, name, comment.strip() if behind == "comment" else "")


def check(folder: Path, names: Sequence[str]) -> None:
    """Raises `RenderError` where a template of the folder cannot be parsed, or fills a block that there is not.

    `names` are those of all templates; only those that lie in the folder are looked at.
    """
    jinja = environment.html_environment(folder)
    for name in names:
        if (folder / name).is_file():
            with environment.told(folder):
                _check(jinja, name, folder)


def _check(jinja: jinja2.Environment, name: str, folder: Path) -> None:
    tree = _parsed(jinja, name)
    above = _extended(tree)
    if above is None:
        return
    known, seen = set[str](), {name}
    while above is not None:
        if above in seen:
            raise RenderError(
                f"{folder.name}/{name} extends itself", fix=f'write {{% extends "fmreport/{name}" %}} into it'
            )
        seen.add(above)
        inherited = _parsed(jinja, above)
        known |= {block.name for block in inherited.find_all(nodes.Block)}
        above = _extended(inherited)
    for block in _outermost(tree):
        if block.name not in known:
            raise RenderError(
                f"{folder.name}/{name}:{block.lineno}: there is no block {block.name} to fill",
                fix=f"{nearest(block.name, sorted(known))}; all of them: fmreport templates",
            )


def _parsed(jinja: jinja2.Environment, name: str) -> nodes.Template:
    assert jinja.loader is not None
    text, file, _ = jinja.loader.get_source(jinja, name)
    return jinja.parse(text, name, file)


def _extended(tree: nodes.Template) -> str | None:
    """The template that another extends; None where it extends none, or one that is told only when it is rendered."""
    found = tree.find(nodes.Extends)
    return str(found.template.value) if found and isinstance(found.template, nodes.Const) else None


def _outermost(node: nodes.Node) -> Iterator[nodes.Block]:
    """Blocks in no other block: one inside of a block that is filled is shown with it, whatever it is called."""
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Block):
            yield child
        else:
            yield from _outermost(child)
