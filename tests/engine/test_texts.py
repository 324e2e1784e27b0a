"""Foreign text: what is valid, and what a terminal obeys."""

import unicodedata

import pytest

from engine.texts import plain_text, valid_text

JOINERS = "\u200c\u200d"
"""What Indian scripts are written with."""


def test_a_line_shows_every_character_and_obeys_none():
    for code in range(0x110000):
        character = chr(code)
        kind = unicodedata.category(character)
        shown = plain_text(f"a{character}b")
        if kind in {"Cc", "Zl", "Zp"}:
            assert shown == "a b", hex(code)
        elif kind == "Cs":
            assert shown == "a\ufffdb", hex(code)
        elif unicodedata.bidirectional(character) in {
            "LRE",
            "RLE",
            "LRO",
            "RLO",
            "PDF",
            "LRI",
            "RLI",
            "FSI",
            "PDI",
        }:
            assert shown == "a b", hex(code)
        elif kind not in {"Cf", "Cn"}:
            assert shown == f"a{character}b", hex(code)


def test_text_from_outside_loses_what_a_terminal_would_obey():
    assert plain_text("a\x1b[2Jb\rc\u202ed") == "a [2Jb c d"
    assert plain_text(f"क्{JOINERS}ष ₹1,00,000") == f"क्{JOINERS}ष ₹1,00,000"


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("caf\udce9", "caf\ufffd"),
        ("\ud83d\ude00", "\ufffd\ufffd"),
        ("😀 ₹", "😀 ₹"),
        ("\x00\x1b", "\x00\x1b"),
    ],
)
def test_a_valid_text_can_be_written_and_half_a_character_is_marked(text, held):
    assert valid_text(text) == held
    valid_text(text).encode()
