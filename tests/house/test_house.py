"""The house keeps its order: names, rooms and words stay within bounds that are counted."""

import ast
import re

import pytest

from tests.house.measures import SOURCES, House, modules, share

ONE_WORD = {
    "Bar",
    "Board",
    "Broker",
    "Calendar",
    "Clock",
    "Connection",
    "Handler",
    "Context",
    "Credentials",
    "Desk",
    "Donchian",
    "Fault",
    "Feed",
    "Governor",
    "Gtt",
    "Instrument",
    "Journal",
    "Kernel",
    "Ladder",
    "Ledger",
    "Order",
    "Pane",
    "Position",
    "Product",
    "Reconciler",
    "Rung",
    "Sandbox",
    "Side",
    "Slippage",
    "Strategy",
    "Supertrend",
    "Tick",
    "Timekeeper",
    "Validity",
    "Variety",
    "View",
    "Watchdog",
    "Ichimoku",
    "Keltner",
    "Bollinger",
    "Stochastic",
    "Cross",
    "Indicator",
}
"""The field has one word for these, besides the indicators that are called by their letters.

The list shrinks and never grows: a class that goes takes its word along.
"""
MOST_WORDS = 43
QUESTIONS = {"What", "Who", "Whose", "Where", "How", "Which", "When"}


@pytest.fixture(scope="module")
def house():
    return House()


def test_no_two_classes_share_a_name(house):
    assert house.shared_classes == []


def test_a_class_is_called_by_two_words_unless_the_field_has_one(house):
    odd = {name for name in house.one_word(house.classes) if not re.fullmatch(r"[A-Z]+", name)}
    assert odd == ONE_WORD
    assert len(ONE_WORD) <= MOST_WORDS
    assert share(house.one_word(house.classes), house.classes) <= 7


def test_a_private_function_is_no_bare_verb(house):
    assert share(house.one_word(house.private), house.private) <= 0.5


def test_no_room_holds_more_than_twenty_modules(house):
    assert {room: count for room, count in house.rooms.items() if count > 20} == {}


def test_a_module_says_what_it_is_with_a_noun(house):
    assert [str(path) for path, word in house.openings if word in QUESTIONS or not word] == []


def test_a_class_says_what_it_is_with_a_noun():
    asked = [
        f"{path}: {node.name}"
        for path, text in modules(*SOURCES)
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ClassDef)
        and (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
        and (ast.get_docstring(node) or "").split(maxsplit=1)[0] in QUESTIONS
    ]
    assert asked == []


def test_the_formatter_lays_out_everything(house):
    assert house.skips == 0


def test_arguments_that_nobody_could_tell_apart_are_named(house):
    assert 1000 * len(house.wide) / house.lines <= 0.5, house.wide


def test_dense_code_says_why(house):
    assert 3.0 <= 100 * house.comments / house.code <= 6.0


def test_the_core_asserts_what_must_always_hold(house):
    assert house.assertions >= 60  # the goal is every invariant that is cheap
