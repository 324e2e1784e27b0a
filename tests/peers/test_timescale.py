"""The tables in a Postgres that has TimescaleDB.

Made, filled, compressed and read through the views.

The server is a build for WebAssembly: it takes one connection and no COPY, so bars go in by plain
SQL here, and how fast a real one takes them is not shown.
"""

import shutil
import socket
import subprocess
import time

import psycopg
import pytest

from store.bars.postgres_bars import REMOVE
from store.bars.postgres_schema import find_extension, migrate
from tests.conformance.bar_store import OPEN
from tests.conftest import ROOT

pytestmark = [pytest.mark.peers, pytest.mark.timeout(300)]
FOLDER = ROOT / "build" / "timescale"
PATIENCE_S = 120


@pytest.fixture(scope="module")
def target():
    if shutil.which("node") is None or not (FOLDER / ".ready").exists():
        pytest.skip("no node, or no build/timescale: see .ci/timescale")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["node", ROOT / "tests/peers/timescale.mjs", FOLDER, str(port)],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout.readline().strip() == "ready"
        yield (
            f"host=127.0.0.1 port={port} user=postgres password=postgres dbname=postgres "
            "sslmode=disable"
        )
    finally:
        process.kill()
        process.wait(PATIENCE_S)


@pytest.fixture(scope="module")
def connection(target):
    ends = time.monotonic() + PATIENCE_S
    while True:
        try:
            made = psycopg.connect(target, autocommit=True, prepare_threshold=None)
            break
        except psycopg.OperationalError:
            assert time.monotonic() < ends
            time.sleep(0.5)
    with made:
        migrate(made)
        rows = ", ".join(
            f"(1, to_timestamp({OPEN // 10**9 + 60 * minute + 86_400 * day}), 1, 500, "
            f"{2000 + minute}, {2010 + minute}, {1990 + minute}, {2005 + minute}, 10, 1)"
            for day in (0, 40)
            for minute in range(10)
        )
        made.execute(
            "INSERT INTO market_data.series (version, span, symbol) VALUES ('live', 60, 'INFY')"
        )
        made.execute(f"INSERT INTO market_data.bars VALUES {rows}")
        yield made


def test_the_extension_is_seen_and_the_bars_are_a_hypertable_of_months(connection):
    there = find_extension(connection)
    assert there.version.startswith("2.")
    assert there.compresses
    chunks = (
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_schema = "
        "'market_data' AND hypertable_name = 'bars'"
    )
    assert connection.execute(chunks).fetchone() == (2,)


def test_steps_that_ran_are_not_run_again(connection):
    before = connection.execute("SELECT number, at FROM public.patang_steps ORDER BY 1").fetchall()
    migrate(connection)
    assert (
        connection.execute("SELECT number, at FROM public.patang_steps ORDER BY 1").fetchall()
        == before
    )
    assert [number for number, _ in before] == [1, 2, 3, 4]


def test_compressed_months_answer_as_before(connection):
    query = (
        "SELECT symbol, start, open, close, volume FROM market_data.bars_1m_golden ORDER BY start"
    )
    before = connection.execute(query).fetchall()
    assert len(before) == 20
    assert before[0][2:] == (100.0, 100.25, 10)
    connection.execute("SELECT compress_chunk(chunk) FROM show_chunks('market_data.bars') AS chunk")
    done = "SELECT count(*) FROM timescaledb_information.chunks WHERE is_compressed"
    assert connection.execute(done).fetchone() == (2,)
    assert connection.execute(query).fetchall() == before
    candles = (
        "SELECT minutes, count(*) FROM market_data.candle_aggregation GROUP BY minutes ORDER BY "
        "minutes"
    )
    assert connection.execute(candles).fetchall() == [(3, 8), (5, 4), (15, 2)]


def test_bars_of_compressed_months_can_be_removed(connection):
    connection.execute("CREATE TEMP TABLE fresh (LIKE market_data.bars)")
    connection.execute("INSERT INTO fresh SELECT * FROM market_data.bars ORDER BY start LIMIT 3")
    connection.execute(
        "SELECT compress_chunk(chunk, true) FROM show_chunks('market_data.bars') AS chunk"
    )
    [(before,)] = connection.execute("SELECT count(*) FROM market_data.bars").fetchall()
    connection.execute(REMOVE)
    assert connection.execute("SELECT count(*) FROM market_data.bars").fetchall() == [(before - 3,)]
