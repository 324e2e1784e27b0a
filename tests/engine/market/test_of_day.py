"""Listings of a past day: by its dump, the last before it, or the first.

And which one that was.
"""

import json
from datetime import date

import pytest

from engine.errors import DataError
from engine.market.day_instruments import instruments_of_day
from engine.market.instrument_dumps import DumpFolder
from store.sql_query import run_query
from tests.engine.market.test_market_commands import DUMP, answer, at_home, run

__all__ = ["answer", "at_home", "run"]
DAYS = [date(2026, 8, 10), date(2026, 8, 18)]


@pytest.fixture
def dumps(tmp_path):
    made = DumpFolder(tmp_path / "state" / "patang" / "instruments")
    made.keep(DAYS[0], DUMP.replace(",400,", ",350,").encode())
    made.keep(DAYS[1], DUMP.replace(",400,", ",375,").encode())
    made.keep(DAYS[1], DUMP.encode())
    made.keep(date(2026, 8, 20), "".join(DUMP.splitlines(keepends=True)[:2]).encode())
    return made


@pytest.mark.parametrize(
    ("day", "dump", "lot"),
    [
        (date(2026, 8, 10), 10, 350),
        (date(2026, 8, 17), 10, 350),
        (date(2026, 8, 18), 18, 400),
        (date(2027, 1, 1), 18, 400),
        (date(2020, 1, 1), 10, 350),
    ],
)
def test_the_terms_of_a_day_are_those_of_the_last_dump_before_it_or_the_first(
    dumps, day, dump, lot
):
    found = instruments_of_day(dumps, day, "NFO")
    assert (found.dump, found.instruments["INFY26AUGFUT"].lot) == (date(2026, 8, dump), lot)
    assert found.instruments.keys() == {"INFY26AUGFUT", "INFY26AUG1500CE"}
    assert (found.remark == "") == (day in DAYS)


def test_what_was_not_listed_then_is_named(dumps):
    found = instruments_of_day(dumps, DAYS[1], "NSE", ["INFY", "ZOMATO"])
    assert (list(found.instruments), found.missing, found.remark) == (
        ["INFY"],
        ("ZOMATO",),
        "not listed then: ZOMATO",
    )


def test_without_a_dump_there_is_one_line_with_the_mend(dumps):
    with pytest.raises(
        DataError, match="no instrument dump of BSE is kept: see patang instruments keep"
    ):
        instruments_of_day(dumps, DAYS[0], "BSE")


def test_the_command_tells_the_terms_and_which_dump_they_are_of(dumps, run, answer):
    code, out, err = run(
        "instruments",
        "terms",
        "INFY26AUGFUT,INFY26AUG1500CE",
        "--exchange",
        "nfo",
        "--date",
        "2026-08-12",
        "--json",
    )
    assert (code, err) == (0, "no dump of 2026-08-12 is kept: instruments as of 2026-08-10\n")
    assert [(row["symbol"], row["tick"], row["lot"], row["dump"]) for row in json.loads(out)] == [
        ("INFY26AUGFUT", 0.1, 350, "2026-08-10"),
        ("INFY26AUG1500CE", 0.05, 350, "2026-08-10"),
    ]
    assert run("instruments", "terms", "ZOMATO", "--date", "2026-08-18")[0] == 1
    assert answer("instruments", "days") == [
        {"exchange": "NFO", "from": "2026-08-10", "to": "2026-08-18", "days": 2},
        {"exchange": "NSE", "from": "2026-08-10", "to": "2026-08-20", "days": 3},
    ]
    code, _, err = run("instruments", "share")
    assert (code, "there is no server to share dumps with" in err) == (2, True)


def test_sql_sees_the_instruments_of_a_date_of_every_exchange_and_the_last_fetch_of_a_day(
    dumps, tmp_path
):
    def asked(query, day=date.max):
        return [
            tuple(row.values())
            for row in run_query(query, tmp_path / "bars", None, dumps.folder, day=day).to_pylist()
        ]

    query = (
        "SELECT tradingsymbol, lot_size, day::text FROM instruments WHERE instrument_type <> 'CE' "
        "ORDER BY ALL"
    )
    assert asked(query) == [("INFY", 1, "2026-08-20"), ("INFY26AUGFUT", 400, "2026-08-18")]
    assert asked(query, date(2026, 8, 17)) == [
        ("INFY", 1, "2026-08-10"),
        ("INFY26AUGFUT", 350, "2026-08-10"),
    ]
    lots = (
        "SELECT day::text, lot_size FROM instruments_by_day WHERE tradingsymbol = 'INFY26AUGFUT' "
        "ORDER BY day"
    )
    assert asked(lots) == [("2026-08-10", 350), ("2026-08-18", 400)]
    assert asked("SELECT DISTINCT typeof(expiry), typeof(strike) FROM instruments") == [
        ("DATE", "DOUBLE")
    ]
