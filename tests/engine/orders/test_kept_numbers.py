"""Numbers in the database that cannot be: a restart names them and believes none."""

import json
import sqlite3

import pytest

from compiled.model.values import Instrument
from compiled.trading.ladder import Rung, RungPlan
from engine.books.journal_rows import readable, whole_number
from engine.books.share_register import ShareRegister
from engine.errors import DataError
from engine.orders.restore import restore_kernel
from store.sqlite_journal import SqliteJournal
from tests.compiled.trading.scripted import Scene
from tests.engine.orders.test_order_path_restart import MIDNIGHT, Life

HUGE, HELD, PRICE, MONEY = 2**62, 10**9, 1e7, 10**14
WRONG = [
    *(("intents", column, n) for column in ("quantity", "filled") for n in (-7, HELD + 1, HUGE)),
    *(
        ("intents", column, x)
        for column in ("price", "trigger_price")
        for x in (-5.0, PRICE * 2, 1e300, "9e999")
    ),
    *(
        ("intents", column, n)
        for column in ("value", "charged")
        for n in (-MONEY - 1, MONEY + 1, HUGE)
    ),
    *(("intents", "protection", x) for x in (-2.0, 101.0, "9e999")),
    *(("intents", "created", n) for n in (-1, HUGE)),
    *(("intents", column, n) for column in ("token", "rung") for n in (-1, HUGE)),
    *(("fills", "quantity", n) for n in (-7, 0, HELD + 1, HUGE)),
    *(("fills", "price", x) for x in (-5.0, 0.0, PRICE * 2, 1e300, "9e999")),
    *(("fills", "charges", n) for n in (-MONEY - 1, MONEY + 1)),
    *(("fills", "ts", n) for n in (-1, HUGE)),
    *(
        ("trades", column, x)
        for column in ("stop_loss", "target", "high_water")
        for x in (-5.0, 1e300, "9e999")
    ),
    *(("trades", "position_number", n) for n in (0, -1, 101)),
    *(("ladders", "created", n) for n in (-1, HUGE)),
]
PLANS = [
    *(("quantity", n) for n in (-1, HELD + 1, 10**30)),
    *(("capital", n) for n in (-1, MONEY + 1, 10**30)),
    *(("swing", x) for x in (-1.0, float("inf"), float("nan"), 1e300)),
    *(("trail_seconds", n) for n in (-1, 10**30)),
    *(("stop_gap_percent", x) for x in (-1.0, 100.0, float("nan"))),
    *(("rungs", [[0.0, x, 0.0]]) for x in (-1.0, 100.0, float("inf"))),
    *(("rungs", x) for x in ([], [[0.0]], 5, "x")),
    ("product", "NONE"),
    ("no_such_field", 1),
]
LEGS = [
    [-5.0, 97.0, -1, 100],
    [97.5, 1e300, -1, 100],
    [97.5, 97.0, -1, -7],
    [97.5, 97.0, -1, 10**30],
    [97.5, 97.0, 5, 100],
    [97.5, float("nan"), -1, 100],
    [97.5],
]


@pytest.fixture(scope="module")
def lived(tmp_path_factory):
    life = Life(tmp_path_factory.mktemp("lived") / "desk.db")
    life.run(lambda scene: scene.hold(100))
    return life.path


@pytest.fixture
def database(lived, tmp_path):
    copy = tmp_path / "desk.db"
    with sqlite3.connect(lived) as source, sqlite3.connect(copy) as target:
        source.backup(target)
    return copy


def brought_back(path):
    failures = []
    journal, scene = SqliteJournal(path, lambda *failure: failures.append(failure)), Scene()
    try:
        restore_kernel(scene.kernel, journal, MIDNIGHT)
    finally:
        journal.close()
    assert failures == []
    return scene


def write(path, statement, *values):
    with sqlite3.connect(path) as connection:
        assert connection.execute(statement, values).rowcount >= 1


def test_what_was_lived_is_brought_back(database):
    scene = brought_back(database)
    assert [ladder.rungs[0].quantity for ladder in scene.kernel.state.ladders.values()] == [100]


@pytest.mark.parametrize(("table", "column", "value"), WRONG)
def test_a_number_out_of_bounds_is_named_and_not_believed(database, table, column, value):
    if isinstance(value, str):
        write(database, f"UPDATE {table} SET {column} = {value}")  # SQLite's infinity
    else:
        write(database, f"UPDATE {table} SET {column} = ?", value)
    with pytest.raises(
        DataError, match=rf"^{table}, row .*: {column} .* is not from .*; the database is damaged"
    ):
        brought_back(database)


@pytest.mark.parametrize(("field", "value"), PLANS)
def test_a_plan_that_cannot_have_been_is_not_believed(database, field, value):
    with sqlite3.connect(database) as connection:
        [(plan,)] = connection.execute("SELECT plan FROM ladders").fetchall()
    write(database, "UPDATE ladders SET plan = ?", json.dumps(json.loads(plan) | {field: value}))
    with pytest.raises(DataError, match="the database is damaged"):
        brought_back(database)


@pytest.mark.parametrize("leg", LEGS)
@pytest.mark.parametrize("key", ["legs", "pending", "made"])
def test_a_leg_that_cannot_have_been_is_not_believed(database, leg, key):
    with sqlite3.connect(database) as connection:
        [(request,)] = connection.execute(
            "SELECT request FROM intents WHERE kind = 'gtt'"
        ).fetchall()
    write(
        database,
        "UPDATE intents SET request = ? WHERE kind = 'gtt'",
        json.dumps(json.loads(request) | {key: [leg]}),
    )
    with pytest.raises(DataError, match="the database is damaged"):
        brought_back(database)


@pytest.mark.parametrize(
    "request_",
    [
        "[",
        "[]",
        "5",
        '{"minutes": 1e999}',
        '{"whole": -1}',
        '{"variety": "NONE"}',
        '{"parts": "x"}',
        "[" * 5000,
    ],
)
def test_terms_that_cannot_have_been_are_not_believed(database, request_):
    write(database, "UPDATE intents SET request = ? WHERE kind = 'order'", request_)
    with pytest.raises(DataError, match="the database is damaged"):
        brought_back(database)


@pytest.mark.parametrize("peak", [-1, MONEY + 1, 10**30, "x", None, 1e999, True])
def test_a_peak_that_cannot_have_been_is_not_believed(database, peak):
    scene = Scene()
    row = json.dumps({"day": int(scene.kernel.state.open), "desk": peak, "strategies": {}})
    write(database, "INSERT OR REPLACE INTO meta VALUES ('peaks', ?)", row)
    with pytest.raises(DataError, match="the database is damaged"):
        brought_back(database)


@pytest.mark.parametrize(
    "text", ["", "x", "1.5", "1e9", "inf", "nan", "\u0661", "--1", "9" * 25, str(MONEY + 1)]
)
def test_a_whole_number_kept_as_text_is_one(text):
    with pytest.raises(DataError, match=r"^meta, row cash: .*the database is damaged"):
        whole_number("meta, row cash:", text)
    assert (whole_number("x", "-5"), whole_number("x", str(MONEY))) == (-5, MONEY)


def test_a_token_of_a_share_that_is_none_is_not_believed(database):
    write(database, "INSERT INTO meta VALUES ('isin:INE476A01022', '-5')")
    journal = SqliteJournal(database, lambda *_: None)
    try:
        with pytest.raises(DataError, match="isin:INE476A01022"):
            ShareRegister(journal, [Instrument(257, "NSE", "CANBK", 0.05)])
    finally:
        journal.close()


def test_a_row_that_breaks_a_law_of_the_core_is_a_damaged_database():
    rung = RungPlan(0.0, 2.0)
    with pytest.raises(DataError, match=r"cannot .* a rung without a number"), readable("it"):
        Rung(0, 0, 1, rung)
