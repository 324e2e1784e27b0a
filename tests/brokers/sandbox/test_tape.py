import json
from datetime import datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from brokers.sandbox import kite_times
from brokers.sandbox.account.carried_account import CarriedAccount, CarriedHolding
from brokers.sandbox.config import SandboxConfig
from brokers.sandbox.corporate_actions import apply_corporate_actions
from brokers.sandbox.exchange import SandboxExchange
from brokers.sandbox.universe.recorded_tape import PriceCandle, printed_prices
from compiled.adapters.kite_frames import FrameDecoder
from compiled.model.values import Instrument
from engine.errors import DataError

MINUTE = 60_000_000_000
SECOND = 1_000_000_000
DATE = "2024-01-10"
OPEN = kite_times.midnight(DATE) + 33_300 * SECOND


def write(folder, symbol, rows):
    """Write bars (minutes since the open of DATE, open, high, low, close, volume)."""
    stamps = [(OPEN + row[0] * MINUTE) // 1_000_000 for row in rows]
    columns = {"timestamp": pa.array(stamps, pa.timestamp("ms", tz="Asia/Kolkata"))}
    for at, name in enumerate(("open", "high", "low", "close"), 1):
        columns[name] = pa.array([float(row[at]) for row in rows])
    columns["volume"] = pa.array([int(row[5]) for row in rows])
    pq.write_table(pa.table(columns), folder / f"{symbol}.parquet")


YESTERDAY = (-1440, 99, 101, 98, 100, 5_000)


@pytest.fixture
def tape(make_client, tmp_path):
    """Make a client on a tape of one symbol X with these bars after a previous close of 100."""

    def make(*bars, **config):
        write(tmp_path, "X", [YESTERDAY, *bars])
        return make_client(tape=tmp_path, date=DATE, symbols=(), **config)

    return make


def seconds(client, count):
    client.exchange.run(client.exchange.now + count * SECOND)


def heard(exchange):
    """Run the whole day and return every tick of a client that subscribed everything."""
    connection = exchange.connect()
    tokens = list(exchange.tokens)
    connection.receive(json.dumps({"a": "subscribe", "v": tokens}))
    connection.receive(json.dumps({"a": "mode", "v": ["full", tokens]}))
    decoder, ticks = FrameDecoder(), []
    while not exchange.is_over:
        exchange.advance(exchange.now + 3_600 * SECOND)
        while connection.outbox:
            ticks += decoder.decode(connection.outbox.popleft(), 0)
    return ticks


def bars_of(ticks, token):
    """Rebuild minute bars from ticks alone.

    First, highest, lowest, last price, and the growth of the volume.
    """
    bars, volume = {}, 0
    for tick in ticks:
        if tick.token != token:
            continue
        start = tick.ts - tick.ts % MINUTE
        opened, high, low, _, traded = bars.get(start, (tick.ltp, tick.ltp, tick.ltp, tick.ltp, 0))
        grown = traded + tick.volume - volume
        bars[start] = (opened, max(high, tick.ltp), min(low, tick.ltp), tick.ltp, grown)
        volume = tick.volume
    return bars


@pytest.mark.real_data
@pytest.mark.parametrize(
    ("date", "symbols"),
    [
        # the election crash; a split-adjusted share; a gappy one
        ("2024-06-04", ("HDFCBANK", "CANBK", "MRF")),
        ("2024-11-01", ("INFY", "MARUTI")),  # the evening session of an hour
        ("2025-04-16", ("BPCL", "ADANIENT")),
    ],
)
def test_bars_rebuilt_from_the_ticks_equal_the_recorded_bars(market_data, date, symbols):
    exchange = SandboxExchange(
        SandboxConfig(speed=None, tape=market_data / "nse_1min", date=date, symbols=symbols)
    )
    ticks = heard(exchange)
    for listing in exchange.market.listings:
        frame = pq.read_table(
            market_data / "nse_1min" / f"{listing.instrument.symbol}.parquet"
        ).to_pandas()
        frame = frame.drop_duplicates("timestamp", keep="last").sort_values("timestamp")
        frame = frame[frame.timestamp.dt.strftime("%Y-%m-%d") == date]
        recorded = {
            int(row.timestamp.timestamp()) * SECOND: (
                row.open,
                row.high,
                row.low,
                row.close,
                row.volume,
            )
            for row in frame.itertuples()
        }
        assert len(recorded) >= 55
        assert bars_of(ticks, listing.instrument.token) == recorded


@pytest.mark.real_data
def test_yesterdays_bars_serve_history_and_the_previous_close(market_data, make_client):
    client = make_client(tape=market_data / "nse_1min", date="2024-06-04", symbols=("HDFCBANK",))
    listing = client.exchange.market.listings[0]
    query = [("from", "2024-06-03"), ("to", "2024-06-03")]
    (day,) = client.ok(
        "GET", f"/instruments/historical/{listing.instrument.token}/day", query=query
    )["candles"]
    frame = pq.read_table(market_data / "nse_1min" / "HDFCBANK.parquet").to_pandas()
    frame = frame[frame.timestamp.dt.strftime("%Y-%m-%d") == "2024-06-03"]
    assert day[1:] == [
        frame.open.iloc[0],
        frame.high.max(),
        frame.low.min(),
        frame.close.iloc[-1],
        frame.volume.sum(),
    ]
    assert listing.instrument.close == frame.close.iloc[-1]


def test_a_bar_is_walked_to_its_nearer_extreme_first():
    share = Instrument(1, "NSE", "X", 0.05)
    assert printed_prices(share, PriceCandle(0, 100.0, 102.0, 99.0, 101.0, 8)) == [
        100.0,
        99.0,
        102.0,
        101.0,
    ]
    assert printed_prices(share, PriceCandle(0, 100.0, 100.5, 98.0, 99.0, 8)) == [
        100.0,
        100.5,
        98.0,
        99.0,
    ]
    assert printed_prices(share, PriceCandle(0, 100.0, 101.0, 99.0, 100.5, 8)) == [
        100.0,
        99.0,
        101.0,
        100.5,
    ]
    # 5.65 both ways
    assert printed_prices(share, PriceCandle(0, 100.15, 105.8, 94.5, 100.5, 8)) == [
        100.15,
        94.5,
        105.8,
        100.5,
    ]


def test_prints_fall_on_four_seconds_of_the_minute_and_share_the_volume(tape):
    client = tape((0, 100, 102, 99, 101, 43))
    ticks = [
        tick for tick in heard(client.exchange) if tick.volume > 0 and tick.last_trade_ts == tick.ts
    ]
    assert [((tick.ts - OPEN) // SECOND, tick.ltp, tick.volume) for tick in ticks] == [
        (0, 100.0, 10),
        (20, 99.0, 20),
        (40, 102.0, 30),
        (59, 101.0, 43),
    ]


def test_five_levels_stand_on_each_side_of_the_price_a_tick_apart(tape):
    client = tape((0, 100, 102, 99, 101, 400))
    seconds(client, 1)
    depth = client.ok("GET", "/quote", query=[("i", "NSE:X")])["NSE:X"]["depth"]
    assert [level["price"] for level in depth["buy"]] == [99.95, 99.9, 99.85, 99.8, 99.75]
    assert [level["price"] for level in depth["sell"]] == [100.05, 100.1, 100.15, 100.2, 100.25]
    assert {level["quantity"] for level in depth["buy"]} == {20}


def test_a_resting_order_is_filled_at_its_price_when_the_tape_reaches_it(tape):
    client = tape((0, 100, 102, 99, 101, 400))
    seconds(client, 1)
    reached = client.place(symbol="X", price=99.0, quantity=10)
    crossed = client.place(symbol="X", price=99.5, quantity=10)
    missed = client.place(symbol="X", price=98.95, quantity=10)
    seconds(client, 18)
    assert client.ok("GET", "/trades") == []
    seconds(client, 2)
    assert [(row["order_id"], row["average_price"]) for row in client.ok("GET", "/trades")] == [
        (crossed, 99.5),
        (reached, 99.0),
    ]
    assert client.order(missed)["filled_quantity"] == 0


def test_fills_are_bounded_by_the_volume_that_was_printed(tape):
    client = tape((0, 100, 102, 99, 101, 400), (1, 101, 101, 98, 98, 40), cash=10_00_00_000_00)
    seconds(client, 1)
    order_id = client.place(symbol="X", price=99.0, quantity=1_000)
    seconds(client, 20)
    assert client.order(order_id)["filled_quantity"] == 100
    seconds(client, 100)
    assert client.order(order_id)["filled_quantity"] == 100 + 10 + 10


def test_our_trades_do_not_change_the_recorded_day(tape):
    bars = [(0, 100, 102, 99, 101, 400), (1, 101, 103, 100, 102, 800)]
    client = tape(*bars)
    seconds(client, 1)
    client.buy(symbol="X", quantity=30)
    client.buy(symbol="X", quantity=30, side="SELL")
    seconds(client, 130)
    assert len(client.ok("GET", "/trades")) > 2
    token = client.exchange.market.listings[0].instrument.token
    query = [("from", f"{DATE} 09:15:00"), ("to", f"{DATE} 15:30:00")]
    rows = client.ok("GET", f"/instruments/historical/{token}/minute", query=query)["candles"]
    assert [tuple(row[1:]) for row in rows] == [bar[1:] for bar in bars]


def test_a_gtt_fires_on_the_print_that_reaches_it(tape):
    client = tape((0, 100, 102, 99, 101, 4_000))
    seconds(client, 1)
    client.buy(symbol="X", quantity=5, product="CNC")
    condition = {
        "exchange": "NSE",
        "tradingsymbol": "X",
        "trigger_values": [99.0, 102.0],
        "last_price": 100.0,
    }
    leg = {
        "exchange": "NSE",
        "tradingsymbol": "X",
        "transaction_type": "SELL",
        "quantity": 5,
        "order_type": "LIMIT",
        "product": "CNC",
    }
    orders = [leg | {"price": 98.5}, leg | {"price": 102.0}]
    form = {"type": "two-leg", "condition": json.dumps(condition), "orders": json.dumps(orders)}
    trigger_id = client.ok("POST", "/gtt/triggers", form)["trigger_id"]
    seconds(client, 18)
    assert client.ok("GET", f"/gtt/triggers/{trigger_id}")["status"] == "active"
    seconds(client, 1)
    row = client.ok("GET", f"/gtt/triggers/{trigger_id}")
    assert row["updated_at"] == f"{DATE} 09:15:20"
    order = client.order(row["orders"][0]["result"]["order_result"]["order_id"])
    assert (order["status"], order["average_price"]) == ("COMPLETE", 98.95)


def test_a_repeated_stamp_keeps_its_last_bar(tape):
    client = tape((0, 100, 102, 99, 101, 400), (0, 100, 103, 99, 101, 500))
    seconds(client, 60)
    listing = client.exchange.market.listings[0]
    assert (listing.ltp, listing.instrument.price(listing.high), listing.volume) == (
        101.0,
        103.0,
        500,
    )


def test_a_start_within_the_day_has_what_came_before_behind_it(tape):
    client = tape((0, 100, 102, 99, 101, 400), (5, 101, 103, 100, 102, 800), start="09:16:00")
    listing = client.exchange.market.listings[0]
    assert (client.exchange.now, listing.ltp, listing.volume) == (OPEN + MINUTE, 101.0, 400)


def test_a_record_off_the_grid_is_played_on_a_paisa_grid(tape):
    assert tape((0, 100, 102, 99, 101, 4)).exchange.market.listings[0].instrument.tick == 0.05
    assert tape((0, 100.03, 102, 99, 101, 4)).exchange.market.listings[0].instrument.tick == 0.01


def test_what_is_missing_is_named_with_what_is_there(tmp_path):
    write(tmp_path, "X", [YESTERDAY, (0, 100, 102, 99, 101, 400)])

    def refusal(**config):
        with pytest.raises(DataError) as refused:
            SandboxExchange(
                SandboxConfig(**({"speed": None, "tape": tmp_path, "date": DATE} | config))
            )
        return str(refused.value)

    assert refusal(symbols=("Y",)).endswith("no symbol Y; there are X")
    assert refusal(date="2024-01-11").endswith(
        "X has no bars on 2024-01-11; its days run from 2024-01-09 to 2024-01-10"
    )
    assert "no such folder" in refusal(tape=tmp_path / "nowhere")
    (tmp_path / "X.parquet").write_bytes(b"not parquet")
    assert str(tmp_path / "X.parquet") in refusal()


def test_a_dump_gives_the_real_tokens(tmp_path):
    write(tmp_path, "X", [YESTERDAY, (0, 100, 102, 99, 101, 400)])
    dump = tmp_path / "dump.csv"
    head = (
        "instrument_token,exchange_token,tradingsymbol,name,last_price,expiry,strike,tick_size,"
        "lot_size,instrument_type,segment,exchange"
    )
    dump.write_text(f"{head}\n257,1,X,XYZ LIMITED,0.0,,0.0,0.05,1,EQ,NSE,NSE\n")
    config = SandboxConfig(speed=None, tape=tmp_path, date=DATE, instruments=dump)
    instrument = SandboxExchange(config).market.listings[0].instrument
    assert (instrument.token, instrument.name) == (257, "XYZ LIMITED")
    derived = [
        SandboxExchange(SandboxConfig(speed=None, tape=tmp_path, date=DATE))
        .market.listings[0]
        .instrument.token
        for _ in "ab"
    ]
    assert derived[0] == derived[1]
    assert derived[0] & 0xFF == 1


def carried(**changes):
    share = CarriedHolding("NSE:Y", 4, 99.0)
    return CarriedAccount(
        **(
            {"cash": 1_000_00, "holdings": [share], "day": "2024-01-09", "closes": {"NSE:Y": 100.0}}
            | changes
        )
    )


def test_a_name_without_bars_on_the_day_is_left_out_and_what_is_held_of_it_stands_still(tmp_path):
    write(tmp_path, "X", [YESTERDAY, (0, 100, 102, 99, 101, 400)])
    write(tmp_path, "Y", [YESTERDAY])
    config = SandboxConfig(speed=None, tape=tmp_path, date=DATE, symbols=("X", "Y"))
    assert [each.key for each in SandboxExchange(config).market.listings] == ["NSE:X"]
    exchange = SandboxExchange(config, carried())
    exchange.run(exchange.closes)
    still = exchange.listings["NSE:Y"]
    assert (
        still.ltp,
        still.volume,
        exchange.portfolio.holdings[int(still.instrument.token)].total,
    ) == (100.0, 0, 4)
    assert exchange.dropped == []


@pytest.mark.parametrize(("opens", "shares", "close"), [(20.4, 20, 20.0), (101.0, 4, 100.0)])
def test_a_split_counts_where_the_record_shows_it_and_not_where_it_is_adjusted_for_it(
    tmp_path, opens, shares, close
):
    write(tmp_path, "Y", [YESTERDAY, (0, opens, opens, opens, opens, 400)])
    line = "Face Value Split From Rs 10/- To Rs 2/-"
    rows = [
        {"symbol": "Y", "series": "EQ", "exDate": datetime.fromisoformat(DATE), "subject": line}
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path.parent / f"{tmp_path.name}.parquet")
    config = SandboxConfig(
        speed=None, tape=tmp_path, date=DATE, actions=tmp_path.parent / f"{tmp_path.name}.parquet"
    )
    found = apply_corporate_actions(config, carried())
    assert (found.holdings[0].quantity, found.closes["NSE:Y"]) == (shares, close)
    assert SandboxExchange(config, found).listings["NSE:Y"].instrument.close == close
