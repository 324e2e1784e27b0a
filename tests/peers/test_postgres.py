"""Bars in a real Postgres: conformance, crashes, a server that is away, and the views."""

import json
import threading
import time
from datetime import date

import numpy as np
import psycopg
import pytest

from compiled.model.values import Bar
from engine.errors import DataError, OperatorError
from engine.history.bar_series import BarSeries, from_bars
from engine.history.moving_averages import moving_averages
from engine.market.day_instruments import instruments_of_day
from engine.market.instrument_dumps import listings_of
from engine.market.instruments import InstrumentListing
from store.bars.parquet_bars import ParquetBars
from store.bars.postgres_bars import PostgresBars
from store.bars.postgres_instruments import PostgresDumps
from store.bars.waiting_bars import WaitingBars
from tests.conformance.bar_store import FOREVER, MINUTE, OPEN, BarStoreSuite, bar, fields
from tests.engine.history.test_killed import halves
from tests.engine.market.test_market_commands import DUMP
from tests.killing import WHOLE, every_step, started
from tests.peers.servers import database, server
from tui.commands.cli import run_command
from tui.run.bar_stores import share_averages
from tui.run.configured import configuration

__all__ = ["database", "server"]
pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]


@pytest.fixture
def store(database):
    made = PostgresBars(database)
    yield made
    made.close()


@pytest.fixture
def asked(database):
    def ask(query, *values):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("SET TimeZone = 'Asia/Kolkata'")
            return connection.execute(query, values).fetchall()

    return ask


class TestPostgres(BarStoreSuite):
    """A server does what every store does."""


def test_bars_lie_in_the_partition_of_their_month_under_one_key(store, asked):
    store.write([bar(0), bar(60 * 24 * 40)], {1: "INFY"}, "live")
    assert asked("SELECT tableoid::regclass::text FROM market_data.bars ORDER BY start") == [
        ("market_data.bars_2024_06",),
        ("market_data.bars_2024_07",),
    ]
    keys = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'p' AND conrelid = "
        "'market_data.bars'::regclass"
    )
    assert asked(keys) == [("PRIMARY KEY (series, start, token)",)]


def test_who_may_only_read_reads_and_is_refused_a_write(store, asked, database):
    store.write([bar(0)], {1: "INFY"}, "live")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA market_data TO reader")
        connection.execute("GRANT SELECT ON ALL TABLES IN SCHEMA market_data TO reader")
        connection.execute("GRANT SELECT ON public.patang_steps TO reader")
    reading = PostgresBars(database.replace("user=desk", "user=reader"))
    assert [b.start for b in reading.read("INFY", 60, 0, FOREVER, "live")] == [OPEN]
    with pytest.raises(OperatorError, match="permission denied"):
        reading.write([bar(1)], {1: "INFY"}, "live")
    reading.close()
    assert asked("SELECT count(*) FROM market_data.bars") == [(1,)]


def test_two_stores_that_begin_together_make_the_tables_once(database):
    stores = [PostgresBars(database) for _ in range(4)]
    threads = [
        threading.Thread(target=each.write, args=([bar(n)], {1: "INFY"}, "live"))
        for n, each in enumerate(stores)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [b.start for b in stores[0].read("INFY", 60, 0, FOREVER, "live")] == [
        OPEN + n * MINUTE for n in range(4)
    ]
    for each in stores:
        each.close()


def test_the_views_have_rupees_and_prefer_the_reconciled_bar(store, asked):
    names = {1: "INFY"}
    store.write(
        [
            Bar(1, OPEN + n * MINUTE, 60, 100.0 + n, 101.0 + n, 99.0 + n, 100.5 + n, 10, 1)
            for n in range(4)
        ],
        names,
        "live",
    )
    store.write([Bar(1, OPEN + MINUTE, 60, 101.05, 103.0, 98.0, 101.55, 20, 0)], names, "vendor")
    golden = asked(
        "SELECT version, to_char(start, 'HH24:MI'), open, high, low, close, volume FROM "
        "market_data.bars_1m_golden ORDER BY start"
    )
    assert golden == [
        ("live", "09:15", 100.0, 101.0, 99.0, 100.5, 10),
        ("vendor", "09:16", 101.05, 103.0, 98.0, 101.55, 20),
        ("live", "09:17", 102.0, 103.0, 101.0, 102.5, 10),
        ("live", "09:18", 103.0, 104.0, 102.0, 103.5, 10),
    ]
    candles = asked(
        "SELECT minutes, to_char(start, 'HH24:MI'), open, high, low, close, volume, minutes_there "
        "FROM market_data.candle_aggregation"
        " WHERE minutes < 15 ORDER BY minutes, start"
    )
    assert candles == [
        (3, "09:15", 100.0, 103.0, 98.0, 102.5, 40, 3),
        (3, "09:18", 103.0, 104.0, 102.0, 103.5, 10, 1),
        (5, "09:15", 100.0, 104.0, 98.0, 103.5, 50, 4),
    ]
    assert asked("SELECT count(*) FROM market_data.bars_1m") == [(4,)]
    assert asked("SELECT count(*) FROM market_data.bars_1m_recon") == [(1,)]


def test_a_server_that_is_away_is_one_line_and_the_next_write_finds_it_again(server, store):
    store.write([bar(0)], {1: "INFY"}, "live")
    server.stop("immediate")
    with pytest.raises(OperatorError, match="bars in Postgres: ") as raised:
        store.write([bar(1)], {1: "INFY"}, "live")
    assert "\n" not in str(raised.value)
    server.start()
    store.write([bar(1)], {1: "INFY"}, "live")
    assert [b.start for b in store.read("INFY", 60, 0, FOREVER, "live")] == [OPEN, OPEN + MINUTE]


def test_what_was_stored_before_a_crash_of_the_server_is_there_after_it(server, store):
    bars = [bar(minute) for minute in range(200)]
    store.write(bars[:100], {1: "INFY"}, "live")
    store.write(bars[50:], {1: "INFY"}, "live")
    server.stop("immediate")
    server.start()
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == fields(bars)


def test_a_write_that_fails_half_way_leaves_nothing_of_it(store, database):
    store.write([bar(0)], {1: "INFY"}, "live")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("ALTER TABLE market_data.bars ADD CONSTRAINT calm CHECK (volume < 5000)")
    with pytest.raises(OperatorError, match="calm"):
        store.write([bar(0, close=100.9), bar(1), bar(2, volume=9_000)], {1: "INFY"}, "live")
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == fields([bar(0)])


def test_tables_of_a_later_version_are_left_alone(store, database):
    store.write([bar(0)], {1: "INFY"}, "live")
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("INSERT INTO public.patang_steps VALUES (99, 'later', now())")
    with pytest.raises(OperatorError, match=r"made by a later version \(step 99"):
        PostgresBars(database).read("INFY", 60, 0, FOREVER, "live")


def test_a_price_too_large_for_the_table_is_named(store):
    with pytest.raises(DataError, match="rupees are too many here"):
        store.write_columns(
            "BIG",
            60,
            "live",
            from_bars(
                [Bar(7, OPEN, 60, 300_000.0001, 300_000.0001, 300_000.0001, 300_000.0001, 1)]
            ),
        )


def test_a_million_rows_go_in_and_come_out(store):
    rows = 1_000_000
    start = OPEN + np.arange(rows) // 375 * 1_440 * MINUTE + np.arange(rows) % 375 * MINUTE
    price = np.full(rows, 100.05)
    series = BarSeries(
        start, price, price, price, price, np.arange(rows), np.full(rows, 4), np.full(rows, 7)
    )
    began = time.perf_counter()
    store.write_columns("MANY", 60, "imported", series)
    wrote = time.perf_counter()
    found = store.columns("MANY", 60, 0, FOREVER, "imported")
    read = time.perf_counter()
    assert np.array_equal(found.volume, series.volume)
    print(f"in {rows / (wrote - began):,.0f} rows/s, out {rows / (read - wrote):,.0f} rows/s")


def test_the_history_is_in_the_server_by_one_line_of_configuration(
    database, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("PATANG_BARS", database)
    (tmp_path / "config.toml").write_text(
        '[store]\nbackend = "postgres"\ndsn_env = "PATANG_BARS"\n'
    )
    (tmp_path / "config.toml").chmod(0o600)
    (tmp_path / "M&M.csv").write_text(
        "timestamp,open,high,low,close\n2024-06-04 09:15,1,2,1,2\n2024-06-04 09:16,1,2,1,2\n"
        "2024-06-04 09:18,1,2,1,2\n"
    )
    assert run_command(["bars", "import", "M&M.csv"]) == 0
    capfd.readouterr()
    assert run_command(["bars", "list", "--json"]) == 0
    (row,) = json.loads(capfd.readouterr().out)
    assert (row["symbol"], row["bars"], row["missing"]) == ("M&M", 3, 1)
    query = "SELECT version, span, symbol, start, close FROM bars ORDER BY start"
    assert run_command(["bars", "sql", query, "--format", "csv"]) == 0
    assert capfd.readouterr().out.splitlines()[1:] == [
        f"imported,60,M&M,2024-06-04 09:{minute}:00+05:30,2.0" for minute in (15, 16, 18)
    ]
    assert not (tmp_path / "state" / "patang" / "history").exists()


def test_averages_follow_the_days_minutes_and_are_those_of_the_whole(
    store, asked, database, tmp_path, monkeypatch
):
    closes = [100.0 + number % 7 for number in range(500)]
    minutes = [bar(number, close=close) for number, close in enumerate(closes)]
    for first, last in ((0, 150), (150, 300), (300, 500)):
        store.write(minutes[first:last], {1: "INFY"}, "live")
        store.write([bar(last)], {1: "SBIN"}, "live")
        assert store.follow_averages("live") == last - first + 1
        assert store.follow_averages("live") == 0
    starts, found = store.averages("INFY", 60, "live")
    assert len(starts) == 500
    for name, values in moving_averages(np.array(closes)).items():
        assert np.array_equal(found[name], values, equal_nan=True)
    assert asked("SELECT count(*) FROM market_data.ohlcv_data WHERE symbol = 'SBIN'") == [(3,)]
    # a golden build takes their place, and the desk's close goes on from there
    config = tmp_path / "config.toml"
    config.touch(0o600)
    config.write_text(f'[store]\nbackend = "postgres"\ndsn = "{database}"\n')
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    store.write([bar(0, close=90.0)], {1: "INFY"}, "vendor")
    assert run_command(["bars", "golden", "build", "--config", str(config)]) == 0
    first = "SELECT close FROM market_data.ohlcv_data WHERE symbol = 'INFY' ORDER BY 1 LIMIT 1"
    assert asked(first) == [(90.0,)]
    store.write([bar(500, close=101.0)], {1: "INFY"}, "live")
    assert share_averages(configuration(config), "live") == 1
    _, found = store.averages("INFY", 60, "live")
    whole = moving_averages(np.array([90.0, *closes[1:], 101.0]))
    assert found["ema_200"][-1] == whole["ema_200"][-1]


def test_a_server_that_goes_away_and_comes_back_gets_what_waited(server, store, tmp_path):
    told = []
    waiting = WaitingBars(store, tmp_path / "waiting", told.append)
    waiting.write([bar(0)], {1: "INFY"}, "live")
    server.stop("immediate")
    for minute in (1, 2):
        waiting.write([bar(minute)], {1: "INFY"}, "live")
    server.start()
    waiting.write([bar(3)], {1: "INFY"}, "live")
    assert fields(store.read("INFY", 60, 0, FOREVER, "live")) == fields(
        [bar(minute) for minute in range(4)]
    )
    assert [text.partition(":")[0] for text in told] == [
        "bars in Postgres",
        "the store of bars is back",
    ]


def test_the_doctor_says_which_server_it_is_and_warns_where_there_is_none(
    database, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for target, state, says in (
        (database, "ok", "no TimescaleDB"),
        ("host=127.0.0.1 port=1 dbname=x", "warn", "refused"),
    ):
        (tmp_path / "config.toml").write_text(f'[store]\nbackend = "postgres"\ndsn = "{target}"\n')
        (tmp_path / "config.toml").chmod(0o600)
        run_command(["doctor", "--json"])
        (check,) = [
            each for each in json.loads(capfd.readouterr().out)["checks"] if each["name"] == "bars"
        ]
        assert check["state"] == state
        assert says in check["text"]


def test_a_password_in_the_configuration_is_refused(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    for target in ("host=db password=x", "postgresql://desk:x@db/patang"):
        (tmp_path / "config.toml").write_text(f'[store]\nbackend = "postgres"\ndsn = "{target}"\n')
        (tmp_path / "config.toml").chmod(0o600)
        assert run_command(["bars", "list"]) == 2
        assert "store.dsn holds a password: put it into ~/.pgpass" in capfd.readouterr().err


def listings(lot=400, more=()):
    return [
        InstrumentListing(408065, "NSE", "INFY", "INFOSYS", "EQ", 0.1, 1),
        InstrumentListing(11, "NFO", "INFY26AUGFUT", "INFY", "FUT", 0.1, lot, date(2026, 8, 25)),
        InstrumentListing(
            12, "NFO", "INFY26AUG1500CE", "INFY", "CE", 0.05, lot, date(2026, 8, 25), 1500.0
        ),
        *more,
    ]


def test_instruments_are_there_by_day_and_one_asks_for_those_of_a_date(store, asked):
    dumps = PostgresDumps(store)
    for day, lot in ((date(2026, 8, 17), 300), (date(2026, 8, 18), 350), (date(2026, 8, 18), 400)):
        dumps.keep(day, listings(lot))
    dumps.keep(
        date(2026, 8, 19), [InstrumentListing(408065, "NSE", "INFY", "INFOSYS", "EQ", 0.05, 1)]
    )
    assert dumps.days("NFO") == [date(2026, 8, 17), date(2026, 8, 18)]
    assert dumps.exchanges() == ["NFO", "NSE"]
    book = dumps.load(date(2026, 8, 18), ["NFO"])
    assert sorted(book, key=lambda each: each.token) == listings()[1:]
    lots = (
        "SELECT symbol, day::text, lot, tick FROM market_data.instruments_of(%s) WHERE kind <> "
        "'CE' ORDER BY symbol"
    )
    assert asked(lots, date(2026, 8, 30)) == [
        ("INFY", "2026-08-19", 1, 0.05),
        ("INFY26AUGFUT", "2026-08-18", 400, 0.1),
    ]
    assert asked(lots, date(2026, 8, 17)) == [
        ("INFY", "2026-08-17", 1, 0.1),
        ("INFY26AUGFUT", "2026-08-17", 300, 0.1),
    ]
    assert asked(lots, date(2026, 8, 16)) == []
    with pytest.raises(DataError, match="no instrument dump of 2026-08-16"):
        dumps.load(date(2026, 8, 16))
    old = instruments_of_day(dumps, date(2026, 8, 20), "NFO", ["INFY26AUGFUT"])
    assert (old.dump, old.instruments["INFY26AUGFUT"].lot) == (date(2026, 8, 18), 400)


def test_dumps_that_are_kept_here_are_given_to_the_server_and_read_from_it_elsewhere(
    database, tmp_path, monkeypatch, capfd
):
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / name))
        (tmp_path / "config.toml").write_text(
            f'[store]\nbackend = "postgres"\ndsn = "{database}"\n'
        )
        (tmp_path / "config.toml").chmod(0o600)
        if name == "one":
            (tmp_path / "dump.csv").write_text(DUMP)
            assert run_command(["instruments", "keep", "dump.csv", "--date", "2026-08-18"]) == 0
            assert run_command(["instruments", "share"]) == 0
            assert "0 dumps given" in capfd.readouterr().err, "keep has given them"
        assert (
            run_command(
                [
                    "instruments",
                    "terms",
                    "INFY26AUGFUT",
                    "--exchange",
                    "NFO",
                    "--date",
                    "2026-08-20",
                    "--json",
                ]
            )
            == 0
        )
        told = capfd.readouterr()
        assert [(row["lot"], row["dump"]) for row in json.loads(told.out)] == [(400, "2026-08-18")]
        assert "no dump of 2026-08-20 is kept: instruments as of 2026-08-18" in told.err
        assert run_command(["instruments", "days", "--json"]) == 0
        assert [row["exchange"] for row in json.loads(capfd.readouterr().out)] == ["NFO", "NSE"]


@pytest.mark.real_data
def test_a_real_dump_goes_in_and_comes_out(store, asked, market_data):
    [path] = (market_data / "instruments").glob("*")
    book, dumps = listings_of(path), PostgresDumps(store)
    began = time.perf_counter()
    dumps.keep(date(2026, 8, 18), book)
    wrote = time.perf_counter() - began
    assert {each.symbol for each in dumps.load(date(2026, 8, 18))} == {each.symbol for each in book}
    [(size,)] = asked("SELECT pg_total_relation_size('market_data.instruments')")
    print(f"{len(book):,} rows in {wrote:.1f} s, {size / 1e6:.1f} MB a day")


def test_killed_before_any_step_of_handing_on_what_waited_nothing_is_lost_or_doubled(
    database, tmp_path
):
    """The server is back, and the desk dies at each step of handing waiting bars on."""
    waited = [bar(minute, token=token) for token in (1, 2) for minute in range(3)]
    fresh = [bar(3), bar(0, close=100.9)]
    names = {1: "INFY", 2: "M&M"}

    def prepare(place):
        with psycopg.connect(database, autocommit=True) as connection:
            connection.execute("DROP SCHEMA IF EXISTS market_data CASCADE")
            connection.execute("DROP TABLE IF EXISTS public.patang_steps")
        for close in (100.25, 100.5):
            ParquetBars(place / "waiting").write(
                [*waited[:2], bar(2, close=close), *waited[3:]], names, "live"
            )

    def hand_on(place):
        WaitingBars(PostgresBars(database), place / "waiting", lambda _: None).write(
            fresh, names, "live"
        )

    def check(place, _at):
        server = PostgresBars(database)
        waiting = WaitingBars(server, place / "waiting", lambda _: None)
        there = [
            each for name in names.values() for each in waiting.read(name, 60, 0, FOREVER, "live")
        ]
        assert {(b.token, b.start) for b in waited} <= {(b.token, b.start) for b in there}
        assert len({(b.token, b.start) for b in there}) == len(there)
        hand_on(place)
        found = [
            each for name in names.values() for each in server.read(name, 60, 0, FOREVER, "live")
        ]
        assert fields(found) == fields([fresh[1], *waited[1:3], fresh[0], *waited[3:]])
        assert list(place.iterdir()) == []
        server.close()

    calls = ["store.bars.postgres_bars:PostgresBars._run_work", "store.bars.postgres_bars:_copy_in"]
    assert every_step(tmp_path, prepare, hand_on, check, calls=calls) > 10


def test_two_imports_at_once_lose_nothing_in_the_server(database, tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text(f'[store]\nbackend = "postgres"\ndsn = "{database}"\n')
    (tmp_path / "config.toml").chmod(0o600)
    monkeypatch.chdir(tmp_path)
    halves(tmp_path)
    both = [
        started(tmp_path, "bars", "import", "--span", "60", tmp_path / f"files-{number}")
        for number in range(2)
    ]
    assert [each.wait(60) for each in both] == [WHOLE] * 2, [each.stderr.read() for each in both]
    store = PostgresBars(database)
    for symbol in ("INFY", "SBIN", "TCS"):
        assert [b.close for b in store.read(symbol, 60, 0, FOREVER, "imported")] == [
            100.0,
            101.0,
        ] * 60
    store.close()
