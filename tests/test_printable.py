"""Text for a terminal: nothing in it is unseen, and no word of it fills the screen."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fmreport.printable import LONGEST, printable, shortened


@given(st.text())
def test_every_character_is_seen_and_those_that_are_stay(text: str) -> None:
    made = printable(text)
    assert made.isprintable()
    assert printable(made) == made
    assert (made == text) == text.isprintable()


def test_what_is_excepted_stays() -> None:
    assert printable("a\nb\tc\x1b", but="\n") == "a\nb\\tc\\x1b"


@given(st.lists(st.integers(1, 2 * LONGEST), min_size=1, max_size=4))
def test_words_keep_their_ends_and_are_never_longer(lengths: list[int]) -> None:
    words = [f"({'x' * length})" for length in lengths]
    made = shortened(" ".join(words)).split(" ")
    for word, kept in zip(words, made, strict=True):
        assert (kept[0], kept[-1]) == ("(", ")")
        assert len(kept) <= LONGEST
        assert kept == word or (len(word) > LONGEST and "..." in kept)
