"""Instruments are found by whatever is remembered of them."""

import pytest

from compiled.model.values import Instrument
from engine.market.instrument_search import InstrumentSearch, expiry_text, option_name

LISTED = [
    Instrument(1, "NSE", "INFY", 0.05, name="INFOSYS"),
    Instrument(2, "NSE", "INFIBEAM", 0.05, name="INFIBEAM AVENUES"),
    Instrument(3, "NSE", "GINFRA", 0.05, name="GINFRA"),
    Instrument(4, "NSE", "NIFTY 50", 0.05, kind="INDEX", name="NIFTY 50"),
    Instrument(5, "NFO", "NIFTY26NOVFUT", 0.05, 75, "FUT", "NIFTY", expiry=20261124),
    Instrument(6, "NFO", "NIFTY26NOV24500CE", 0.05, 75, "CE", "NIFTY", expiry=20261124),
    Instrument(7, "NFO", "NIFTY26NOV24500PE", 0.05, 75, "PE", "NIFTY", expiry=20261124),
    Instrument(8, "NFO", "NIFTY26D0124500CE", 0.05, 75, "CE", "NIFTY", expiry=20261201),
]
SEARCH = InstrumentSearch(LISTED)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("infy", ["INFY"]),
        ("inf", ["INFY", "INFIBEAM", "GINFRA"]),
        ("infosys", ["INFY"]),
        ("nifty 24500 pe", ["NIFTY26NOV24500PE"]),
        ("nifty 24500 ce dec", ["NIFTY26D0124500CE"]),
        ("nfo fut", ["NIFTY26NOVFUT"]),
        ("n26d1245c", ["NIFTY26D0124500CE"]),
        ("iby", []),
        ("xyz", []),
    ],
)
def test_words_are_parts_and_letters_stand_in_their_order(text, found):
    assert [row.symbol for row in SEARCH.find(text).rows] == found


def test_all_are_counted_and_the_first_named():
    found = SEARCH.find("", 2)
    assert (found.matches, [row.symbol for row in found.rows]) == (8, ["INFY", "GINFRA"])


def test_an_option_is_its_underlying_expiry_strike_and_side():
    assert option_name("NIFTY26NOV24500CE") == ("NIFTY", "26NOV", "24500", "CE")
    assert option_name("NIFTY26D0124500PE") == ("NIFTY", "26D01", "24500", "PE")
    assert option_name("M&M26DEC3180.5CE") == ("M&M", "26DEC", "3180.5", "CE")
    assert option_name("RELIANCE") is None
    assert SEARCH.find("24500 pe").rows[0].strike == "24500"
    assert expiry_text(20261124) == "24 Nov 26"


def test_the_nearest_names_of_a_mistyped_one():
    assert SEARCH.nearest("INFYY")[0] == "INFY"


def test_a_kind_after_a_name_is_that_kind_and_no_letters_of_the_name():
    names = ("RELIANCE", "RELIANCE26NOVFUT", "RELIANCE26NOV1500CE", "RELIANCE26NOV1500PE")
    kinds = ("EQ", "FUT", "CE", "PE")
    search = InstrumentSearch(
        Instrument(n, "NFO", name, 0.05, kind=kind, name="RELIANCE")
        for n, (name, kind) in enumerate(zip(names, kinds, strict=True), 1)
    )
    for text, found in (
        ("reliance ce", ["RELIANCE26NOV1500CE"]),
        ("rel 1500 pe", ["RELIANCE26NOV1500PE"]),
        ("rel fut", ["RELIANCE26NOVFUT"]),
        # At the beginning it is the beginning of a name: CEAT.
        ("ce", [*names[:2], "RELIANCE26NOV1500CE", "RELIANCE26NOV1500PE"]),
    ):
        assert [row.symbol for row in search.find(text).rows] == found
