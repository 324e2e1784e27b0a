"""The day's instrument list: fetched once, kept, fetched anew when it is not today's."""

import os
from datetime import date, datetime, timedelta, timezone

import pytest

from brokers.kite.kite_broker import KiteBroker
from engine.errors import DataError
from engine.market.instrument_dumps import DumpFolder

IST = timezone(timedelta(hours=5, minutes=30))
HEAD = (
    "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,lot_size,instrument_type,"
    "segment,exchange\n"
)


def listed(*names):
    rows = (
        f"{256 * n + 1},{n},{name},{name} LTD,0,,0,0.05,1,EQ,NSE,NSE\n"
        for n, name in enumerate(names, 1)
    )
    return (HEAD + "".join(rows)).encode()


def at(clock, hour, minute, day=2):
    moment = datetime(2026, 1, day, hour, minute, tzinfo=IST)
    clock.time = int(moment.timestamp()) * 10**9
    return moment.timestamp()


@pytest.fixture
async def reader(stub, clock, tmp_path):
    """A function that reads the symbols with a new broker, as a newly started desk does."""

    async def read():
        broker = KiteBroker(stub.url, "key", "token", clock, dumps=DumpFolder(tmp_path))
        try:
            return [each.symbol for each in await broker.instruments("NSE")]
        finally:
            await broker.close()

    return read


def stamp(tmp_path, moment):
    for file in tmp_path.rglob("*.csv.gz"):
        os.utime(file, (moment, moment))


async def test_a_list_of_today_is_fetched_once(reader, stub, clock, script, tmp_path):
    moment = at(clock, 9, 0)
    stub.on("GET /instruments/NSE", script.http(200, listed("INFY", "TCS"), "text/csv"))
    assert await reader() == ["INFY", "TCS"]
    stamp(tmp_path, moment)
    stub.on("GET /instruments/NSE", script.http(503, b""))
    assert await reader() == ["INFY", "TCS"]
    assert len(stub.requests) == 1
    assert [each.day for each in DumpFolder(tmp_path).versions("NSE")] == [date(2026, 1, 2)]


@pytest.mark.parametrize(("hour", "minute", "day"), [(8, 0, 2), (9, 0, 1)])
async def test_a_list_from_before_kite_made_todays_is_fetched_anew(
    reader, stub, clock, script, tmp_path, hour, minute, day
):
    moment = at(clock, hour, minute, day)
    stub.on("GET /instruments/NSE", script.http(200, listed("INFY"), "text/csv"))
    await reader()
    stamp(tmp_path, moment)
    at(clock, 9, 0)
    stub.on("GET /instruments/NSE", script.http(200, listed("INFY", "NEW"), "text/csv"))
    assert await reader() == ["INFY", "NEW"]


async def test_half_a_list_is_refused_and_the_kept_one_stays(reader, stub, clock, script, tmp_path):
    at(clock, 9, 0, 1)
    stub.on("GET /instruments/NSE", script.http(200, listed("A", "B", "C", "D", "E"), "text/csv"))
    await reader()
    at(clock, 9, 0)
    stub.on("GET /instruments/NSE", script.http(200, listed("A"), "text/csv"))
    with pytest.raises(DataError, match="fewer than half"):
        await reader()
    assert len(DumpFolder(tmp_path).load(date(2026, 1, 1))) == 5
