"""Text or Python data to plain data that remembers where each value was written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from fmreport.errors import ConfigError

Where = tuple[str | int, ...]
"""Keys and positions (from 0) from the top of a config down to a value."""

DEEPEST = 40
"""Levels of nesting that a config may have; it needs six."""
BEYOND = 2**63
"""Numbers of this magnitude are refused, as are those that are not finite."""
LARGEST = 100_000
"""Values that a config may have, those that aliases repeat included."""

SYNTAX = (
    ("found character '\\t'", "a tab stands here", "indent with spaces"),
    ("cannot start any token", "a value cannot start with this character", "put the value in quotes"),
    (
        "mapping values are not allowed",
        "a `:` stands where no key can be",
        "align the key with its neighbours, or quote",
    ),
    ("could not find expected ':'", "this line is no `key: value`", "write a `:` and a space after the key"),
    ("unexpected end of stream", "a quote is opened and never closed", "close the quote"),
    ("expected ',' or ']'", "a list in [ ] is not closed, or a comma is missing", "close it with ]"),
    ("expected ',' or '}'", "a mapping in { } is not closed, or a comma is missing", "close it with }"),
    ("expected <block end>", "this line is indented differently from its neighbours", "align it with its neighbours"),
    ("undefined alias", "this alias (*name) has no anchor (&name) above it", "write the value itself, or quote it"),
    ("another document", "a second document starts here", "leave the `---` out; one file holds one config"),
)
"""What the parser says, what it means, and the next step."""

_NUMBERS = YAML(typ="safe", pure=True).constructor


class Place(NamedTuple):
    """Where a value was written, as a message names it; `order` sorts messages."""

    order: int
    shown: str


class Problem(NamedTuple):
    """One thing that is wrong."""

    place: Place
    path: Where
    text: str


@dataclass
class Document:
    """A config before it is checked."""

    name: str
    """The file as the user called it."""
    data: dict[str, Any] = field(default_factory=dict)
    places: dict[Where, Place] = field(default_factory=dict)
    numbers: dict[Where, str] = field(default_factory=dict)
    """Numbers and dates as written, for settings that are text: `release: 1.0`."""
    problems: list[Problem] = field(default_factory=list)
    unread: set[Where] = field(default_factory=set)
    """What holds None because it could not be read, which is said already."""

    def place(self, path: Where) -> Place:
        """Where `path`, or what it lies in, was written."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.places:
                return self.places[path[:length]]
        return Place(0, self.name)

    def refuse(self, path: Where, text: str) -> Any:
        """Notes that what stands at `path` cannot be read; None stands for it."""
        self.problems.append(Problem(self.place(path), path, text))
        self.unread.add(path)
        return None

    def endless(self, path: Where) -> ConfigError:
        """The error for data too deep or too large to be a config; nothing else is worth telling then."""
        return ConfigError(
            f"{self.place(path[:1]).shown}: {path[0]}: deeper than {DEEPEST} levels, or more than {LARGEST} values",
            fix="write the values out, without aliases (*name)",
        )


def read_yaml(text: str, name: str) -> Document:
    """The config in a YAML text; a `ConfigError` where it is not YAML, holds nothing, or holds no mapping."""
    document = Document(name)
    try:
        node = YAML(typ="rt", pure=True).compose(text)
    except (YAMLError, RecursionError) as error:
        where, what, fix = _syntax(error, text)
        raise ConfigError(f"{name}{where}: not YAML: {what}", fix=fix) from None
    if node is None:
        raise ConfigError(f"{name}: the file is empty", fix="`fmreport new MODEL` prints a config to start from")
    if not isinstance(node, MappingNode):
        what = "a list" if isinstance(node, SequenceNode) else "a single value"
        raise ConfigError(
            f"{name}:{node.start_mark.line + 1}: expected settings (key: value), found {what}",
            fix="start with `name:`; `fmreport new MODEL` prints a config to start from",
        )
    document.places[()] = document.place(())
    document.data = _Reader(document).value(node, ())
    return document


def read_value(text: str, document: Document, path: Where, place: Place) -> Any:
    """The value of an override, noted in `document` as written at `place`."""
    document.places[path] = place
    try:
        node = YAML(typ="rt", pure=True).compose(text)
    except (YAMLError, RecursionError) as error:
        _, what, fix = _syntax(error, text)
        return document.refuse(path, f"not a YAML value: {what}; {fix}")
    return None if node is None else _Reader(document, place).value(node, path)


def read_python(data: Mapping[str, Any], name: str) -> Document:
    """The config in Python data: mappings, lists, tuples, text, numbers, paths, True, False, None."""
    document = Document(name)
    if not isinstance(data, Mapping):
        raise ConfigError(f"{name}: expected a mapping of settings, found {type(data).__name__}", fix="pass a dict")
    document.data = _plain(data, (), document)
    return document


class _Reader:
    """Walks the nodes of a YAML document once."""

    def __init__(self, document: Document, place: Place | None = None) -> None:
        self.document = document
        self.override = place
        self.count = 0

    def value(self, node: Node, path: Where) -> Any:
        self.count += 1
        self.document.places.setdefault(path, self._place(node))
        # The first ends an alias inside its own anchor, the second aliases of aliases of aliases.
        if len(path) > DEEPEST or self.count > LARGEST:
            raise self.document.endless(path)
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if isinstance(node, MappingNode) and kind == "map":
            return self._mapping(node, path)
        if isinstance(node, SequenceNode) and kind == "seq":
            return [self.value(each, (*path, number)) for number, each in enumerate(node.value)]
        if isinstance(node, ScalarNode) and kind in (
            "null",
            "bool",
            "int",
            "float",
            "str",
            "timestamp",
            "value",
            "merge",
        ):
            return self._scalar(node, kind, path)
        return self.document.refuse(path, f"the tag {str(node.tag)!r} has no meaning here; leave it out")

    def _mapping(self, node: MappingNode, path: Where) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in node.value:
            here = self._place(key)
            if not isinstance(key, ScalarNode):
                text = "a key must be one word, not a list or a mapping"
                self.document.problems.append(Problem(here, path, text))
                continue
            inner = (*path, str(key.value))
            if key.value in found:
                first = self.document.places[inner].shown.rpartition(":")[2]
                text = "written twice" if self.override else f"written twice, first on line {first}"
                self.document.problems.append(Problem(here, inner, text))
                continue
            self.document.places[inner] = here
            found[key.value] = self.value(value, inner)
        return found

    def _scalar(self, node: ScalarNode, kind: str, path: Where) -> Any:
        text: str = node.value
        if reason := _unfit(text):
            return self.document.refuse(path, reason)
        if kind in ("str", "value", "merge"):
            return text
        if kind == "null":
            return None
        if kind == "bool" and text.lower() in ("true", "false"):
            return text.lower() == "true"
        self.document.numbers[path] = text
        if kind == "timestamp":
            return text
        try:
            return _NUMBERS.construct_yaml_int(node) if kind == "int" else _NUMBERS.construct_yaml_float(node)
        except (ValueError, IndexError, KeyError):
            return self.document.refuse(path, f"{_short(text)!r} is no {'whole number' if kind == 'int' else 'number'}")

    def _place(self, node: Node) -> Place:
        line = node.start_mark.line + 1
        return self.override or Place(line, f"{self.document.name}:{line}")


def _plain(value: object, path: Where, document: Document) -> Any:
    if len(path) > DEEPEST:
        raise document.endless(path)
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or _unfit(key):
                document.problems.append(Problem(document.place(path), path, f"a key must be text, not {key!r}"))
        return {
            key: _plain(each, (*path, key), document)
            for key, each in value.items()
            if isinstance(key, str) and not _unfit(key)
        }
    if isinstance(value, list | tuple):
        return [_plain(each, (*path, number), document) for number, each in enumerate(value)]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, str):
        reason = _unfit(value)
        return document.refuse(path, reason) if reason else value
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        if not abs(value) < BEYOND:
            return document.refuse(path, "the number is too large, or not finite")
        value = float(value) if isinstance(value, float) else int(value)
        document.numbers[path] = repr(value)
        return value
    return document.refuse(path, f"a config cannot hold a value of type {type(value).__name__}")


def _unfit(text: str) -> str:
    """Why no setting can be this text; empty where one can."""
    if "\0" in text:
        return "not valid text: the character NUL, which no name of a file can hold"
    half = any("\ud800" <= letter <= "\udfff" for letter in text)
    return "not valid text: half of a surrogate pair" if half else ""


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:37]}..."


def _syntax(error: YAMLError | RecursionError, text: str) -> tuple[str, str, str]:
    """(`:line:column`, what is wrong, the next step) of what the parser raised."""
    if isinstance(error, ReaderError):
        before = text[: error.position]
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        letter = text[error.position : error.position + 1]
        return f":{line}:{column}", f"the control character {letter!r} stands here", "take it out"
    if not isinstance(error, MarkedYAMLError) or error.problem_mark is None:
        return "", "it is nested too deeply", "flatten it"
    mark, problem = error.problem_mark, str(error.problem)
    what, fix = next(((what, fix) for said, what, fix in SYNTAX if said in problem), (problem, "mend this line"))
    return f":{mark.line + 1}:{mark.column + 1}", what, fix
