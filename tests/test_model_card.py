"""The part of a model card: metadata that the Hub reads, and Markdown in which every name stays a name."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from ruamel.yaml import YAML
from run_data import HOSTILE, SyntheticRun, small_run

from fmreport.exports import model_card
from fmreport.exports.model_card import escaped, plain

MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])
OWN = {"text", "text_special", "strong_open", "strong_close", "code_inline"}
"""What stands in a line of the part, by the names of markdown-it."""


def run(**facts: Any) -> SyntheticRun:
    made = small_run()
    return replace(made, facts=replace(made.facts, **facts))


def parts(made: SyntheticRun) -> tuple[dict[str, Any], str]:
    """Metadata and Markdown, parted as the Hub parts them."""
    text = model_card.written(made).decode()
    found = re.match(r"^(\s*---[\r\n]+)([\S\s]*?)([\r\n]+---(\r\n|\r|\n|$))", text)
    assert found
    return YAML(typ="safe").load(found[2]), text[found.end() :]


def inline(text: str) -> list[Token]:
    return [child for token in MARKDOWN.parse(text) for child in token.children or ()]


def shown(tokens: list[Token]) -> str:
    return "".join(token.content for token in tokens)


def test_the_metadata_is_what_is_true_of_every_audit() -> None:
    told, _ = parts(run(licences={"model": "apache-2.0"}))
    assert told == {"license": "apache-2.0", "library_name": "keras", "tags": list(model_card.TAGS)}


def test_an_audit_is_no_result_of_an_evaluation() -> None:
    assert "model-index" not in parts(run())[0]


@pytest.mark.parametrize(
    ("declared", "told"),
    [
        ("CC-BY-SA-4.0", {"license": "cc-by-sa-4.0"}),
        ("GPL-3.0-only", {"license": "other", "license_name": "GPL-3.0-only"}),
        ("ours: alone\n---\ntags: [x]", {"license": "other", "license_name": "ours: alone --- tags: [x]"}),
    ],
)
def test_a_licence_is_told_in_the_words_of_the_hub(declared: str, told: dict[str, str]) -> None:
    found, _ = parts(run(licences={"model": declared}))
    assert told.items() <= found.items()
    assert found["tags"] == list(model_card.TAGS)


def test_without_a_licence_or_a_framework_that_the_hub_knows_neither_is_told() -> None:
    made = run(licences={"report": "MIT"}, model={**run().facts.model, "framework": "tensorflow 2.21.0"})
    assert set(parts(made)[0]) == {"tags"}


def test_the_part_tells_what_was_found_and_how_to_make_it_again() -> None:
    made = run(command="fmreport run a.yaml")
    _, text = parts(made)
    tokens = MARKDOWN.parse(text)
    headings = [tokens[at + 1].content for at, token in enumerate(tokens) if token.type == "heading_open"]
    assert headings[1:] == ["What the numbers say", "Key numbers", "How to make it again"]
    assert sum(token.type == "list_item_open" for token in tokens) >= 7
    assert sum(token.type == "tr_open" for token in tokens) == 4
    (fence,) = (token for token in tokens if token.type == "fence")
    assert fence.content == "fmreport run a.yaml\n"
    assert made.facts.id in text
    assert made.facts.model["sha256"] in text


def test_no_name_becomes_a_part_of_the_markdown() -> None:
    hostile = run(title=HOSTILE, release="v1*_", model={**run().facts.model, "source": f"{HOSTILE}\n# x"})
    _, text = parts(hostile)
    assert {token.type for token in inline(text)} <= OWN
    assert plain(HOSTILE) in shown(inline(text))
    assert "html_block" not in {token.type for token in MARKDOWN.parse(text)}


def test_a_command_cannot_leave_its_block() -> None:
    _, text = parts(run(command="fmreport run 'a\n````\n# b.yaml'"))
    (fence,) = (token for token in MARKDOWN.parse(text) if token.type == "fence")
    assert fence.content == "fmreport run 'a ```` # b.yaml'\n"


@given(st.text() | st.text(st.sampled_from("\\`*_[]()<>#|&;~$@!ab:/.-+=\n \u202e\u200d")))
def test_whatever_is_written_is_shown_as_it_is(text: str) -> None:
    found = inline(f"x{escaped(text)}x")
    assert {token.type for token in found} <= {"text", "text_special"}
    assert shown(found) == f"x{plain(text)}x"
