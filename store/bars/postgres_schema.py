"""Tables of a Postgres that keeps bars, made by numbered steps.

Everything lies in the schema `market_data`. Bars are in one table, partitioned by month, a
hypertable where TimescaleDB is there, prices as whole numbers of a unit; the views give rupees and
the names people ask for. A step that has run is never changed: the next one is added.
"""

from datetime import UTC, datetime
from typing import Any, NamedTuple

from engine.errors import OperatorError

LOCK = 7_310_017
"""The advisory lock under which steps are taken and partitions are made."""

TABLES = """
CREATE SCHEMA IF NOT EXISTS market_data;
CREATE TABLE market_data.series (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version text NOT NULL, span integer NOT NULL, symbol text NOT NULL,
    UNIQUE (version, span, symbol)
);
COMMENT ON COLUMN market_data.series.span IS 'seconds';
"""
BARS = """
CREATE TABLE market_data.bars (
    series integer NOT NULL,
    start timestamptz NOT NULL,
    token bigint NOT NULL,
    unit integer NOT NULL,
    open integer NOT NULL, high integer NOT NULL, low integer NOT NULL, close integer NOT NULL,
    volume bigint NOT NULL, ticks integer NOT NULL,
    PRIMARY KEY (series, start, token)
){partitioned};
COMMENT ON COLUMN market_data.bars.unit IS 'what prices count, in ten-thousandths of a rupee';
"""
VIEWS = """
CREATE FUNCTION market_data.rupees(price integer, unit integer) RETURNS double precision
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS 'SELECT (price::bigint * unit)::double precision / 10000';
CREATE VIEW market_data.bars_in_rupees AS
    SELECT s.version, s.span, s.symbol, b.start, b.token,
        market_data.rupees(b.open, b.unit) AS open,
        market_data.rupees(b.high, b.unit) AS high, market_data.rupees(b.low, b.unit) AS low,
        market_data.rupees(b.close, b.unit) AS close, b.volume, b.ticks
    FROM market_data.bars b JOIN market_data.series s ON s.id = b.series;
CREATE VIEW market_data.bars_1m AS
    SELECT * FROM market_data.bars_in_rupees WHERE span = 60 AND version IN ('live', 'imported');
CREATE VIEW market_data.bars_1m_recon AS
    SELECT * FROM market_data.bars_in_rupees WHERE span = 60 AND version = 'vendor';
CREATE VIEW market_data.bars_1m_golden AS
    SELECT DISTINCT ON (symbol, start)
        version, symbol, start, token, open, high, low, close, volume, ticks
    FROM market_data.bars_in_rupees WHERE span = 60 AND version IN ('vendor', 'live', 'imported')
    ORDER BY symbol, start, array_position(ARRAY['vendor', 'live', 'imported'], version);
COMMENT ON VIEW market_data.bars_1m_golden IS 'reconciled bars, and raw ones where there is none';
CREATE VIEW market_data.candle_aggregation AS
    SELECT symbol, minutes, at AS start, (array_agg(open ORDER BY start))[1] AS open,
        max(high) AS high, min(low) AS low,
        (array_agg(close ORDER BY start DESC))[1] AS close, sum(volume)::bigint AS volume,
        count(*)::integer AS minutes_there
    FROM (SELECT g.*, minutes, date_bin(make_interval(mins => minutes), start,
            (date_trunc('day', start AT TIME ZONE 'Asia/Kolkata') + interval '9 hours 15 minutes')
            AT TIME ZONE 'Asia/Kolkata') AS at
        FROM market_data.bars_1m_golden g, unnest(ARRAY[3, 5, 15]) AS minutes) AS placed
    GROUP BY symbol, minutes, at;
COMMENT ON VIEW market_data.candle_aggregation IS '3, 5 and 15 minutes, counted from 09:15 IST';
CREATE TABLE market_data.ohlcv_data (
    symbol text NOT NULL, "timestamp" timestamptz NOT NULL, open double precision NOT NULL,
    high double precision NOT NULL,
    low double precision NOT NULL, close double precision NOT NULL, volume bigint NOT NULL,
    ema_9 double precision, ema_21 double precision, ema_50 double precision,
    ema_200 double precision,
    PRIMARY KEY (symbol, "timestamp")
);
COMMENT ON TABLE market_data.ohlcv_data IS
    'golden minutes in rupees with exponential averages of their closes';
"""
REMOVALS = """
CREATE TABLE market_data.removals (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE market_data.removals IS
    'when bars went to the archive: who has listed it before lists it again';
"""
INSTRUMENTS = """
CREATE TABLE market_data.instruments (
    day date NOT NULL, exchange text NOT NULL, symbol text NOT NULL, token bigint NOT NULL,
    name text NOT NULL, kind text NOT NULL,
    expiry date, strike double precision NOT NULL, tick double precision NOT NULL,
    lot integer NOT NULL,
    PRIMARY KEY (day, exchange, symbol)
);
COMMENT ON TABLE market_data.instruments IS 'what was listed, by the day of the dump; '
    'kind is EQ, FUT, CE, PE or INDEX, strike and tick in rupees';
CREATE FUNCTION market_data.instruments_of(wanted date) RETURNS SETOF market_data.instruments
    LANGUAGE sql STABLE
    AS 'SELECT i.* FROM market_data.instruments i JOIN (
            SELECT exchange, max(day) AS day FROM market_data.instruments WHERE day <= wanted
            GROUP BY exchange) last USING (exchange, day)';
COMMENT ON FUNCTION market_data.instruments_of IS
    'of each exchange the last dump on or before a day';
"""
HYPERTABLE = """
SELECT create_hypertable('market_data.bars', by_range('start', INTERVAL '1 month'));
"""
COMPRESSION = """
ALTER TABLE market_data.bars SET (timescaledb.compress, timescaledb.compress_segmentby = 'series',
    timescaledb.compress_orderby = 'start');
"""
NATIVE = " PARTITION BY RANGE (start)"


class TimescaleExtension(NamedTuple):
    """State of TimescaleDB: its version, "" without it, and whether its licence has compression."""

    version: str
    compresses: bool


def find_extension(connection: Any) -> TimescaleExtension:
    """Look for TimescaleDB in the database."""
    row = connection.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'"
    ).fetchone()
    if row is None:
        return TimescaleExtension("", compresses=False)
    licence = connection.execute("SELECT current_setting('timescaledb.license', true)").fetchone()[
        0
    ]
    return TimescaleExtension(row[0], compresses=licence == "timescale")


def schema_steps(there: TimescaleExtension) -> list[tuple[str, str]]:
    """Return the names of all steps and what they do, oldest first."""
    made = TABLES + BARS.format(partitioned="" if there.version else NATIVE)
    if there.version:
        made += HYPERTABLE + (COMPRESSION if there.compresses else "")
    return [
        ("tables", made),
        ("views", VIEWS),
        ("removals", REMOVALS),
        ("instruments", INSTRUMENTS),
    ]


def migrate(connection: Any) -> TimescaleExtension:
    """Bring the tables to what this version reads.

    Raise `OperatorError` for those of a later one.
    """
    there = find_extension(connection)
    with connection.transaction():
        # two desks that start at once take the steps one after the other
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        # who only reads may not make it
        if connection.execute("SELECT to_regclass('public.patang_steps')").fetchone()[0] is None:
            connection.execute(
                "CREATE TABLE public.patang_steps (number integer PRIMARY KEY, name text NOT "
                "NULL, at timestamptz NOT NULL)"
            )
        done = connection.execute(
            "SELECT coalesce(max(number), 0) FROM public.patang_steps"
        ).fetchone()[0]
        todo = schema_steps(there)
        if done > len(todo):
            raise OperatorError(
                f"the bars in Postgres were made by a later version (step {done}; this one knows "
                f"{len(todo)})"
            )
        for number, (name, text) in enumerate(todo[done:], done + 1):
            connection.execute(text)
            connection.execute(
                "INSERT INTO public.patang_steps VALUES (%s, %s, %s)",
                (number, name, datetime.now(UTC)),
            )
    return there
